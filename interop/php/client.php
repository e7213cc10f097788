<?php
// PHP's SoapClient with Transfer201210.wsdl: submit, watch, change the rate, cancel, read a typed fault.
//
// Usage: php client.php WSDL ORDER.xml      Prints what it did; exit status 0 only if all of it held.

declare(strict_types=1);

const NEW_RATE = 3000; // Kbps
const PATIENCE = 60.0; // seconds
const BETWEEN_POLLS = 200_000; // microseconds

/** The job's session, once it is as `$wanted`. */
function session(SoapClient $central, string $job, string $what, callable $wanted): stdClass
{
    $deadline = microtime(true) + PATIENCE;
    while (microtime(true) < $deadline) {
        $answer = $central->GetSessionInfo(['SessionFilter' => ['JobId' => [$job]]]);
        foreach ($answer->SessionInfoResult->SessionInfo ?? [] as $session) {
            if ($wanted($session)) {
                return $session;
            }
        }
        usleep(BETWEEN_POLLS);
    }
    throw new RuntimeException("no session of job $job $what in time");
}

/** The type that the fault for an order of an unknown type names. */
function refusedType(SoapClient $central, string $type): string
{
    try {
        $central->Submit(['Type' => $type, 'Definition' => '<Order/>']);
    } catch (SoapFault $fault) {
        return $fault->detail->JobTypeNotFoundFaultType->Type ?? throw $fault;
    }
    throw new RuntimeException('an order of an unknown type was taken');
}

function work(string $wsdl, string $order): void
{
    $central = new SoapClient($wsdl, [
        'cache_wsdl' => WSDL_CACHE_NONE,
        'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
    ]);
    $job = $central->Submit(['Type' => 'Aspera.IScpTransfer', 'Definition' => $order])->JobResult->ID;
    echo "Submit: job $job\n";

    $session = session($central, $job, 'moved bytes', fn($info) => $info->BytesTransferred > 0);
    $id = $session->UUID;
    echo "GetSessionInfo: session $id is $session->Status, $session->BytesTransferred bytes moved, ",
        "$session->TargetRate Kbps\n";

    $central->SetTargetRate(['SessionID' => $id, 'TargetRate' => NEW_RATE]);
    session($central, $job, 'had the new rate', fn($info) => $info->TargetRate === NEW_RATE);
    echo 'SetTargetRate: the target rate is ', NEW_RATE, " Kbps\n";

    $central->CancelSession(['SessionID' => $id]);
    session($central, $job, 'was cancelled', fn($info) => $info->Status === 'cancelled');
    echo "CancelSession: the session is cancelled\n";

    $type = refusedType($central, 'No.Such.Type');
    if ($type !== 'No.Such.Type') {
        throw new RuntimeException("the fault's detail names the type $type");
    }
    echo "JobTypeNotFoundFault: its detail names the type $type\n";
}

if ($argc !== 3) {
    fwrite(STDERR, "Usage: php client.php WSDL ORDER.xml\n");
    exit(2);
}
try {
    work($argv[1], file_get_contents($argv[2]));
} catch (Exception $problem) {
    fwrite(STDERR, $problem->getMessage() . "\n");
    exit(1);
}
