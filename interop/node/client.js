// Node's `soap` package with Transfer201210.wsdl: submit, watch, change the rate, cancel, read a typed fault.
//
// Usage: node client.js WSDL ORDER.xml      Prints what it did; exit status 0 only if all of it held.

'use strict';

const { readFileSync } = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');
const soap = require('soap');

const NEW_RATE = 3000; // Kbps
const PATIENCE = 60_000; // milliseconds
const BETWEEN_POLLS = 200; // milliseconds

// The job's session, once it is as `wanted`. The package leaves unsigned numbers as text.
async function session(central, job, what, wanted) {
  const deadline = Date.now() + PATIENCE;
  while (Date.now() < deadline) {
    const [answer] = await central.GetSessionInfoAsync({ SessionFilter: { JobId: [job] } });
    const found = (answer.SessionInfoResult.SessionInfo ?? []).find(wanted);
    if (found) return found;
    await sleep(BETWEEN_POLLS);
  }
  throw new Error(`no session of job ${job} ${what} in time`);
}

// The type that the fault for an order of an unknown type names.
async function refusedType(central, type) {
  try {
    await central.SubmitAsync({ Type: type, Definition: '<Order/>' });
  } catch (problem) {
    const named = problem.root?.Envelope.Body.Fault.detail?.JobTypeNotFoundFaultType?.Type;
    if (named === undefined) throw problem;
    return named;
  }
  throw new Error('an order of an unknown type was taken');
}

async function work(wsdl, order) {
  const central = await soap.createClientAsync(wsdl);
  const [answer] = await central.SubmitAsync({ Type: 'Aspera.IScpTransfer', Definition: order });
  const job = answer.JobResult.ID;
  console.log(`Submit: job ${job}`);

  const seen = await session(central, job, 'moved bytes', (info) => Number(info.BytesTransferred) > 0);
  const id = seen.UUID;
  console.log(
    `GetSessionInfo: session ${id} is ${seen.Status}, ${seen.BytesTransferred} bytes moved, ${seen.TargetRate} Kbps`,
  );

  await central.SetTargetRateAsync({ SessionID: id, TargetRate: NEW_RATE });
  await session(central, job, 'had the new rate', (info) => Number(info.TargetRate) === NEW_RATE);
  console.log(`SetTargetRate: the target rate is ${NEW_RATE} Kbps`);

  await central.CancelSessionAsync({ SessionID: id });
  await session(central, job, 'was cancelled', (info) => info.Status === 'cancelled');
  console.log('CancelSession: the session is cancelled');

  const type = await refusedType(central, 'No.Such.Type');
  if (type !== 'No.Such.Type') throw new Error(`the fault's detail names the type ${type}`);
  console.log(`JobTypeNotFoundFault: its detail names the type ${type}`);
}

if (process.argv.length !== 4) {
  console.error('Usage: node client.js WSDL ORDER.xml');
  process.exit(2);
}
const [wsdl, file] = process.argv.slice(2);
work(wsdl, readFileSync(file, 'utf8')).catch((problem) => {
  console.error(problem.message);
  process.exitCode = 1;
});
