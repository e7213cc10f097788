// A peer for bench.polls: the reliable query of the same contract, served by gSOAP.
//
// Usage: server PORT ANSWER.xml [changing]      ANSWER.xml is a GetSessionInfo answer of the daemon: the sessions to
// serve. With "changing" the counters of each change once a second, evenly over the second.
// Built from our WSDL by bench.polls with wsdl2h and soapcpp2; a thread for each connection, keep-alive.

#include "soapFASPSessionNET200911BindingService.h"
#include "FASPSessionNET200911Binding.nsmap"
#include <algorithm>
#include <chrono>
#include <fstream>
#include <iostream>
#include <thread>

static std::vector<ns2__SessionInfo *> sessions;

static bool among(const std::vector<std::string> &accepted, const std::string *value) {
    return accepted.empty() || (value && std::find(accepted.begin(), accepted.end(), *value) != accepted.end());
}

class Server : public FASPSessionNET200911BindingService {
  public:
    explicit Server(struct soap *context) : FASPSessionNET200911BindingService(context) {}
    FASPSessionNET200911BindingService *copy() override { return new Server(soap_copy(this->soap)); }

    int GetSessionInfo(_ns2__GetSessionInfoRequest *asked, _ns2__GetSessionInfoResponse &answer) override {
        const ns2__SessionFilter *filter = asked->SessionFilter;
        size_t most = filter->MaxResults ? std::stoul(*filter->MaxResults) : 100;
        ns2__SessionInfoResult *result = soap_new_ns2__SessionInfoResult(soap);
        result->RemainingResultCount = 0;
        for (ns2__SessionInfo *session : sessions) {
            if (!among(filter->SessionUUID, &session->UUID) || !among(filter->JobId, session->JobId) ||
                !among(filter->SessionStatus, &session->Status) || !among(filter->Cookie, session->Cookie))
                continue;
            if (result->SessionInfo.size() < most)
                result->SessionInfo.push_back(session);
            else
                result->RemainingResultCount++;
        }
        result->ResultCount = result->SessionInfo.size();
        result->IterationToken = "position";
        answer.SessionInfoResult = result;
        return SOAP_OK;
    }

#define NOT_SERVED(NAME) \
    int NAME(_ns2__##NAME##Request *, _ns2__##NAME##Response &) override { return SOAP_NO_METHOD; }
    NOT_SERVED(GetSessions)
    NOT_SERVED(GetSessionStatistics)
    NOT_SERVED(GetFileTransfers)
    NOT_SERVED(GetFileTransferInfo)
    NOT_SERVED(GetFileTransferStatistics)
    NOT_SERVED(GetInfo)
    NOT_SERVED(GetStatistics)
};

// Without a lock: a counter is one machine word, and a poll may see some of them before a change and some after.
static void change() {
    auto began = std::chrono::steady_clock::now();
    for (size_t told = 0;;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        std::chrono::duration<double> since = std::chrono::steady_clock::now() - began;
        for (; told < since.count() * sessions.size(); told++) {
            ns2__SessionInfo *session = sessions[told % sessions.size()];
            session->BytesTransferred = session->BytesWritten = session->Elapsed = told * 1000;
        }
    }
}

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) {
        std::cerr << "usage: server PORT ANSWER.xml [changing]\n";
        return 2;
    }
    struct soap *reading = soap_new1(SOAP_XML_IGNORENS);
    soap_set_namespaces(reading, namespaces);
    std::ifstream file(argv[2]);
    reading->is = &file;
    _ns2__GetSessionInfoResponse known;
    known.soap_default(reading);
    if (soap_begin_recv(reading) || soap_envelope_begin_in(reading) || soap_body_begin_in(reading) ||
        !known.soap_get(reading, "ns2:GetSessionInfoResponse", nullptr)) {
        soap_stream_fault(reading, std::cerr);
        return 1;
    }
    sessions = known.SessionInfoResult->SessionInfo;

    Server server(soap_new2(SOAP_IO_KEEPALIVE, SOAP_IO_KEEPALIVE));
    server.soap->bind_flags = SO_REUSEADDR;
    server.soap->max_keep_alive = 1 << 30;
    if (!soap_valid_socket(server.bind("127.0.0.1", std::stoi(argv[1]), 100))) {
        server.soap_stream_fault(std::cerr);
        return 1;
    }
    if (argc == 4)
        std::thread(change).detach();
    std::cout << "serving " << sessions.size() << std::endl;
    while (soap_valid_socket(server.accept())) {
        FASPSessionNET200911BindingService *one = server.copy();
        std::thread([one] {
            one->serve();
            one->destroy();
            delete one;
        }).detach();
    }
}
