// A client made by gSOAP from Transfer201210.wsdl: submit, watch, change the rate, cancel, read a typed fault.
//
// Usage: client WSDL ORDER.xml      Prints what it did; exit status 0 only if all of it held.

#include "Transfer201210Binding.nsmap"
#include "soapTransfer201210BindingProxy.h"
#include <chrono>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <thread>

static const unsigned NEW_RATE = 3000; // Kbps
static const std::chrono::seconds PATIENCE(60);
static const std::chrono::milliseconds BETWEEN_POLLS(200);

class Client {
  public:
    explicit Client(const std::string &wsdl)
        : address(wsdl.substr(0, wsdl.find('?'))), central(address.c_str(), SOAP_IO_KEEPALIVE) {}

    std::string submit(const std::string &type, const std::string &order) {
        _ns2__SubmitRequest request;
        request.Type = type;
        request.Definition = order;
        _ns2__SubmitResponse answer;
        must(central.Submit(&request, answer), "Submit");
        return answer.JobResult->ns2__ID;
    }

    // The job's session, once it is as `wanted`.
    ns5__SessionInfo *session(const std::string &job, const std::string &what,
                              const std::function<bool(const ns5__SessionInfo &)> &wanted) {
        const auto deadline = std::chrono::steady_clock::now() + PATIENCE;
        while (std::chrono::steady_clock::now() < deadline) {
            ns5__SessionFilter filter;
            filter.JobId.push_back(job);
            _ns5__GetSessionInfoRequest request;
            request.SessionFilter = &filter;
            _ns5__GetSessionInfoResponse answer;
            must(central.GetSessionInfo(&request, answer), "GetSessionInfo");
            for (ns5__SessionInfo *session : answer.SessionInfoResult->SessionInfo)
                if (wanted(*session))
                    return session;
            std::this_thread::sleep_for(BETWEEN_POLLS);
        }
        throw std::runtime_error("no session of job " + job + " " + what + " in time");
    }

    void set_target_rate(const std::string &session, unsigned rate) {
        _ns4__SetTargetRateRequest request;
        request.SessionID = session;
        request.TargetRate = rate;
        _ns4__SetTargetRateResponse answer;
        must(central.SetTargetRate(&request, answer), "SetTargetRate");
    }

    void cancel(const std::string &session) {
        _ns4__CancelRequest request;
        request.SessionID = session;
        _ns4__CancelResponse answer;
        must(central.CancelSession(&request, answer), "CancelSession");
    }

    // The type that the fault for an order of an unknown type names.
    std::string refused_type(const std::string &type) {
        _ns2__SubmitRequest request;
        request.Type = type;
        request.Definition = "<Order/>";
        _ns2__SubmitResponse answer;
        if (central.Submit(&request, answer) == SOAP_OK)
            throw std::runtime_error("an order of an unknown type was taken");
        const SOAP_ENV__Fault *fault = central.soap->fault;
        if (!fault || !fault->detail || !fault->detail->ns2__JobTypeNotFoundFaultType)
            must(central.soap->error, "a Submit that JobTypeNotFoundFault should refuse");
        return fault->detail->ns2__JobTypeNotFoundFaultType->ns2__Type;
    }

  private:
    std::string address;
    Transfer201210BindingProxy central;

    void must(int error, const char *what) {
        if (error == SOAP_OK)
            return;
        std::ostringstream told;
        central.soap_stream_fault(told);
        throw std::runtime_error(std::string(what) + ": " + told.str());
    }
};

static void work(const std::string &wsdl, const std::string &order) {
    Client client(wsdl);
    const std::string job = client.submit("Aspera.IScpTransfer", order);
    std::cout << "Submit: job " << job << std::endl;

    const auto *session =
        client.session(job, "moved bytes", [](const auto &info) { return info.BytesTransferred > 0; });
    const std::string id = session->UUID;
    std::cout << "GetSessionInfo: session " << id << " is " << session->Status << ", "
              << session->BytesTransferred << " bytes moved, " << session->TargetRate << " Kbps" << std::endl;

    client.set_target_rate(id, NEW_RATE);
    client.session(job, "had the new rate", [](const auto &info) { return info.TargetRate == NEW_RATE; });
    std::cout << "SetTargetRate: the target rate is " << NEW_RATE << " Kbps" << std::endl;

    client.cancel(id);
    client.session(job, "was cancelled", [](const auto &info) { return info.Status == "cancelled"; });
    std::cout << "CancelSession: the session is cancelled" << std::endl;

    const std::string type = client.refused_type("No.Such.Type");
    if (type != "No.Such.Type")
        throw std::runtime_error("the fault's detail names the type " + type);
    std::cout << "JobTypeNotFoundFault: its detail names the type " << type << std::endl;
}

int main(int count, char **arguments) {
    if (count != 3) {
        std::cerr << "Usage: client WSDL ORDER.xml" << std::endl;
        return 2;
    }
    std::ifstream file(arguments[2]);
    const std::string order((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    try {
        work(arguments[1], order);
    } catch (const std::exception &problem) {
        std::cerr << problem.what() << std::endl;
        return 1;
    }
    return 0;
}
