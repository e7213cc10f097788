// What is asked of the daemon: calls, and the stream of events.

/** A refusal; `status` is HTTP's, 0 when there was no answer. */
export class Refused extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let proof = "";

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(`api/${path}`, { credentials: "same-origin", ...options });
  } catch {
    throw new Refused(0, "the daemon does not answer");
  }
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, document.error?.message ?? `status ${answer.status}`);
  return document;
}

/** Call with a JSON document; gives the answer's. Throws Refused. */
export function call(path, document = {}) {
  return ask(path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-proof": proof },
    body: JSON.stringify(document),
  });
}

/** Who is logged in; null for nobody. Throws Refused. */
export async function me() {
  const visitor = await ask("me", { method: "GET" });
  return visitor.user ? known(visitor) : null;
}

/** Log in. Throws Refused. */
export async function logIn(user, password) {
  return known(await call("login", { user, password }));
}

function known(visitor) {
  proof = visitor.proof;
  return visitor;
}

/**
 * A stream of events that comes back by itself when the connection is lost.
 * `hears` maps an event's name to what is called with its data; "open" comes at each begin, "lost" when it breaks.
 */
export function listen(path, hears) {
  const source = new EventSource(`api/stream/${path}`);
  for (const [name, hear] of Object.entries(hears)) {
    if (name === "open") source.addEventListener("open", () => hear());
    else if (name === "lost") source.addEventListener("error", () => hear(source.readyState === EventSource.CLOSED));
    else source.addEventListener(name, (event) => hear(JSON.parse(event.data)));
  }
  return { close: () => source.close() };
}
