"use strict";

// What this page shows is what any client of the service gets: the answers of OpenAI's API and the actuator's endpoint.

const $ = id => document.getElementById(id);
const turns = [];       // of the chat: {role, content}
const history = {};     // of each level: {at, share}, when it was looked at and how much of it was occupied
const SECONDS = 120;
const ANSWERS = 8;
let running = null;     // what stops the answer that is streaming
let looking = false;    // whether the endpoint has been asked and has not answered

function element(tag, classes, text) {
  const made = document.createElement(tag);
  if (classes) made.className = classes;
  if (text !== undefined) made.textContent = text;
  return made;
}

function show(role, text) {
  const turn = $("turns").appendChild(element("div", "turn " + role, text));
  $("turns").scrollTop = $("turns").scrollHeight;
  return turn;
}

// ---- asking

function kind() {
  return document.querySelector("input[name=kind]:checked").value;
}

function request(text) {
  const common = {stream: true, stream_options: {include_usage: true}, max_tokens: Number($("most").value)};
  return kind() === "chat"
    ? {path: "/v1/chat/completions", body: {...common, messages: [...turns, {role: "user", content: text}]}}
    : {path: "/v1/completions", body: {...common, prompt: text}};
}

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    rest += value;
    const parts = rest.split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const data = part.replace(/^data: /, "");
      if (data !== "[DONE]") yield JSON.parse(data);
    }
  }
}

async function ask(reuse) {
  const text = $("text").value;
  if (!text || running) return;
  const {path, body} = request(text);
  show("user", text);
  const answer = show("assistant", "");
  running = new AbortController();
  busy(true);
  const begun = performance.now();
  let first = null;
  let said = "";
  try {
    const headers = {"Content-Type": "application/json"};
    if (!reuse) headers["X-Tenant"] = "nobody " + crypto.getRandomValues(new Uint32Array(2)).join("");
    const response = await fetch(path, {method: "POST", headers, body: JSON.stringify(body), signal: running.signal});
    if (!response.ok) throw new Error((await response.json()).error.message);
    for await (const event of events(response)) {
      if (event.error) throw new Error(event.error.message);
      const choice = event.choices[0];
      const piece = choice ? choice.delta ? choice.delta.content : choice.text : null;
      if (piece) {
        first ??= performance.now() - begun;
        said += piece;
        answer.textContent = said;
        $("turns").scrollTop = $("turns").scrollHeight;
      }
      if (event.usage) account(event.usage, first ?? performance.now() - begun, reuse);
    }
    if (kind() === "chat" && reuse) {
      turns.push({role: "user", content: text}, {role: "assistant", content: said});
      $("text").value = "";
    }
  } catch (problem) {
    if (problem.name !== "AbortError") {
      answer.className = "turn wrong";
      answer.textContent = problem.message;
    }
  } finally {
    running = null;
    busy(false);
    look();
  }
}

function busy(now) {
  $("send").disabled = now;
  $("cold").disabled = now;
  $("stop").hidden = !now;
}

/** Shows where the K/V of a prompt came from. */
function account(usage, first, reuse) {
  const {cached_tokens: cached, peer_tokens: peer, block_tokens: block} = usage.prompt_tokens_details;
  const blocks = $("blocks");
  blocks.replaceChildren();
  for (let at = 0; at < usage.prompt_tokens; at += block) {
    const [origin, name] = at >= cached ? ["new", "computed"] : at >= cached - peer ? ["peer", "from a peer"]
      : ["own", "from this instance"];
    blocks.appendChild(element("span", origin)).title =
      `tokens ${at} to ${Math.min(at + block, usage.prompt_tokens) - 1}, ${name}`;
  }
  const row = element("tr");
  const share = Math.round(100 * cached / usage.prompt_tokens);
  const note = !reuse ? "without reuse" : peer ? `${peer} from a peer` : "";
  for (const cell of [usage.prompt_tokens, `${cached} (${share} %)`, `${first.toFixed(0)} ms`, note]) {
    row.append(element("td", "", cell));
  }
  $("answers").prepend(row);
  while ($("answers").children.length > ANSWERS) $("answers").lastChild.remove();
}

// ---- looking

const number = value => value.toLocaleString("en");

function level(level) {
  const {total, free, inactive} = level.stats;
  const used = history[level.tier] ??= [];
  const now = performance.now() / 1000;
  used.push({at: now, share: (total - free) / total});
  while (used[0].at < now - SECONDS) used.shift();
  const box = element("div");
  box.append(element("p", "", `${level.tier}${level.lost ? ", lost" : ""}: ${number(total - free)} of ${number(total)}`
    + ` blocks hold something, ${number(inactive)} of them may go; ${(100 * level.hitRate).toFixed(0)} % of what was asked`
    + ` for was found`));
  const points = used.map(({at, share}) => `${(SECONDS - now + at).toFixed(1)},${(100 - 100 * share).toFixed(1)}`).join(" ");
  box.insertAdjacentHTML("beforeend", `<svg viewBox="0 0 ${SECONDS} 100" preserveAspectRatio="none">`
    + `<polyline points="${points}" fill="none" stroke="var(--own)" stroke-width="2" vector-effect="non-scaling-stroke"/>`
    + `</svg>`);
  return box;
}

function peer(peer) {
  const row = element("tr");
  for (const cell of [peer.workerId, peer.state.toLowerCase(), peer.transport, number(peer.blocksKnown),
    number(peer.blocksTaken)]) {
    row.append(element("td", "", cell));
  }
  return row;
}

function counters(manager) {
  const {sequences, transfersInFlight, events} = manager;
  const told = {
    "open sequences": sequences.open,
    "sequences opened": sequences.opened,
    "tokens asked for": sequences.tokensRequested,
    "tokens reused": sequences.tokensReused,
    "tokens from peers": sequences.tokensFromPeers,
    "transfers under way": transfersInFlight,
    "events": events,
  };
  for (const at of manager.levels) {
    told[at.tier + " evictions"] = at.stats.evictions;
    told[at.tier + " registrations"] = at.stats.registrations;
  }
  return Object.entries(told).map(([name, value]) => {
    const pair = element("div");
    pair.append(element("dt", "", name), element("dd", "", number(value ?? 0)));
    return pair;
  });
}

/** Asks the endpoint, unless it still owes an answer or nobody sees the page. */
async function look() {
  if (looking || document.hidden) return;
  looking = true;
  try {
    const manager = await (await fetch("/actuator/kvbm", {signal: AbortSignal.timeout(10000)})).json();
    $("levels").replaceChildren(...manager.levels.map(level));
    const peers = manager.cluster ? manager.cluster.peers : [];
    $("peers").replaceChildren(...peers.map(peer));
    $("counters").replaceChildren(...counters(manager));
  } catch {
    $("levels").textContent = "The endpoint /actuator/kvbm does not answer.";
  } finally {
    looking = false;
  }
}

async function watch() {
  await look();
  setTimeout(watch, 1000);
}

async function models() {
  const {data} = await (await fetch("/v1/models")).json();
  $("model").textContent = data[0].id;
}

$("ask").addEventListener("submit", event => {
  event.preventDefault();
  ask(true);
});
$("cold").addEventListener("click", () => ask(false));
$("stop").addEventListener("click", () => running?.abort());
$("anew").addEventListener("click", () => {
  turns.length = 0;
  $("turns").replaceChildren();
});
$("text").addEventListener("keydown", event => {
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    ask(true);
  }
});
document.addEventListener("visibilitychange", look);
models();
watch();
