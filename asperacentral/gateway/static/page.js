// The page: logging in, folders of the server, what to send and what to receive.

import * as aspera from "./client/transfer-client.js";
import { TransferList } from "./transfers.js";
import { clientWords, size } from "./words.js";

const IN_PAGE = 100_000_000; // bytes up to which a download through the gateway shows its progress here

const byId = (id) => document.getElementById(id);

let authorization = "";
let gatewayOnly = true;
let folder = "";
let entries = [];
let begun = false;
let list;

function problem(error) {
  byId("problem").textContent = error ? (error.message ?? String(error)) : "";
}

async function ask(what, document) {
  let answer;
  try {
    answer = await fetch(what, { method: "POST", headers: { authorization, "content-type": "application/json" }, body: JSON.stringify(document) });
  } catch {
    throw new Error("the gateway does not answer");
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(told.message ?? `status ${answer.status}`), { status: answer.status });
  return told;
}

// -- folders ---------------------------------------------------------------------------------------------------

async function look(path) {
  const told = await ask("look", { path });
  folder = told.path;
  entries = told.entries;
  gatewayOnly = told.gateway_only;
  byId("who").textContent = told.user;
  byId("drop").hidden = !told.write;
  byId("folder").hidden = !told.read;
  showCrumbs();
  byId("entries").replaceChildren(...entries.map(row));
  byId("empty").hidden = entries.length > 0;
  byId("every").checked = false;
  choose();
  problem(told.more ? `Only the first ${entries.length.toLocaleString()} are shown.` : "");
}

const tryLook = (path) => look(path).catch(problem);

function showCrumbs() {
  const parts = folder ? folder.split("/") : [];
  const crumb = (text, path, last) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    if (last) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => tryLook(path));
    return button;
  };
  const crumbs = [crumb("Files", "", parts.length === 0)];
  parts.forEach((part, at) => crumbs.push("/", crumb(part, parts.slice(0, at + 1).join("/"), at === parts.length - 1)));
  byId("crumbs").replaceChildren(...crumbs);
}

function cell(tag, content, name = "") {
  const made = document.createElement(tag);
  made.className = name;
  made.append(content);
  return made;
}

function row(entry) {
  const box = document.createElement("input");
  box.type = "checkbox";
  box.value = entry.name;
  box.setAttribute("aria-label", `Choose ${entry.name}`);
  box.addEventListener("change", choose);
  let name = entry.name;
  if (entry.folder) {
    name = document.createElement("button");
    name.type = "button";
    name.textContent = `${entry.name}/`;
    name.addEventListener("click", () => tryLook(folder ? `${folder}/${entry.name}` : entry.name));
  }
  const made = document.createElement("tr");
  const changed = new Date(entry.modified * 1000).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
  made.append(cell("td", box), cell("td", name), cell("td", entry.folder ? "" : size(entry.size), "number"), cell("td", changed, "number wide"));
  return made;
}

const chosen = () => [...byId("entries").querySelectorAll("input:checked")].map((box) => box.value);

function choose() {
  const count = chosen().length;
  byId("receive").disabled = count === 0;
  byId("receive").textContent = count > 1 ? `Receive ${count}` : "Receive";
}

// -- sending and receiving -------------------------------------------------------------------------------------

async function send({ dataTransfer: { files } }) {
  if (!files.length) return;
  const spec = await ask("permit", { direction: "send", folder });
  await aspera.startTransfer({ ...spec, paths: files.map(({ name }) => ({ source: name })) });
}

async function pick(dialog) {
  problem();
  try {
    await send(await dialog());
  } catch (error) {
    if (error.code !== -32002) problem(error); // the user closed the dialog
  }
}

async function receive() {
  problem();
  try {
    const names = chosen();
    const spec = await ask("permit", { direction: "receive", folder, names });
    const only = names.length === 1 ? entries.find((entry) => entry.name === names[0]) : undefined;
    if (only?.folder || names.length > 1) spec.zip_required = true;
    else if (only && only.size > 0 && only.size <= IN_PAGE) spec.tags = { aspera: { "http-gateway": { expected_size: only.size } } };
    await aspera.startTransfer(spec);
  } catch (error) {
    problem(error);
  }
}

// -- beginning -------------------------------------------------------------------------------------------------

function beginTransfers() {
  if (begun) return;
  begun = true;
  list = new TransferList({
    problem,
    ended: (transfer) => transfer.status === "completed" && transfer.transfer_spec.direction === "send" && authorization && tryLook(folder),
  });
  const told = () => {
    byId("client").textContent = clientWords(aspera.getStatus(), aspera.getInfo(), gatewayOnly);
  };
  aspera.registerStatusCallback(told);
  aspera.initSession({
    appId: "asperacentral-page",
    httpGatewaySettings: { url: new URL("..", location.href).href.replace(/\/$/, ""), forceGateway: gatewayOnly },
  }).finally(told);
  aspera.createDropzone(byId("drop"), (files) => send(files).catch(problem));
  addEventListener("beforeunload", (event) => {
    if (list.needsPage) event.preventDefault();
  });
}

function show(loggedIn) {
  byId("login").hidden = loggedIn;
  byId("files").hidden = !loggedIn;
  byId("account").hidden = !loggedIn;
  if (!loggedIn) byId("user").focus();
}

byId("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  byId("login-problem").textContent = "";
  const words = new TextEncoder().encode(`${byId("user").value}:${byId("password").value}`);
  authorization = `Basic ${btoa(String.fromCharCode(...words))}`;
  try {
    await look("");
  } catch (error) {
    authorization = "";
    byId("login-problem").textContent = error.message;
    return;
  }
  byId("login-form").reset();
  show(true);
  beginTransfers();
});
byId("logout").addEventListener("click", () => {
  authorization = "";
  byId("entries").replaceChildren();
  show(false);
});
byId("every").addEventListener("change", () => {
  for (const box of byId("entries").querySelectorAll("input")) box.checked = byId("every").checked;
  choose();
});
byId("receive").addEventListener("click", receive);
byId("send-files").addEventListener("click", () => pick(() => aspera.showSelectFileDialog({ allowMultipleSelection: true })));
byId("send-folder").addEventListener("click", () => pick(() => aspera.showSelectFolderDialog({ allowMultipleSelection: true })));
for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  byId("drop").addEventListener(name, () => byId("drop").classList.toggle("over", over));
}
show(false);
