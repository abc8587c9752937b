// An opened row.

const address = (row) => {
  const output = rows.output[row] && !isComparison ? `&output=${rows.output[row]}` : "";
  return `id=${encodeURIComponent(rows.id[row].toWellFormed?.() ?? rows.id[row])}${output}`;
};

function rowOf(hash) {
  if (!hash.startsWith("#id=")) return -1;
  const [id, output] = hash.slice(4).split("&output=");
  const name = decoded(id);
  for (let row = 0; row < state.loaded; row++) {
    if (rows.id[row] === name && (isComparison || rows.output[row] === Number(output ?? 0))) return lineOf(row);
  }
  return -1;
}

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

/** Return the rows of the same prompt, for all models and in all outputs, in the order of the table. */
function siblings(row) {
  if (isComparison) return rows.partner[row] < 0 ? [row] : [rows.partner[row], row];
  if (head.models.filter(Boolean).length < 2 && head.outputs.length < 2) return [row];
  const key = promptOf(row);
  const same = [];
  for (let other = 0; other < state.loaded; other++) {
    if (other === row || (same.length < MOST && promptOf(other) === key)) same.push(other);
  }
  return same;
}

/** Return a row's ID without the name of its model, which is a part between slashes. */
function promptOf(row) {
  const id = rows.id[row];
  const model = head.models[rows.model[row]];
  if (!model) return id;
  if (id.endsWith(`/${model}`)) return id.slice(0, -model.length - 1);
  return id.replace(`/${model}/`, "/");
}

async function open(row) {
  state.opened = row;
  const place = state.view.indexOf(row);
  if (place >= 0) state.cursor = place;
  const all = siblings(row);
  const values = await Promise.all(all.map(details));
  if (state.opened !== row) return;
  const view = document.getElementById("row");
  const bar = make("div", { className: "bar" });
  for (const [title, act] of [["← All results", close], ["Previous", () => step(-1)], ["Next", () => step(1)]]) {
    const button = make("button", { type: "button" }, title);
    button.addEventListener("click", act);
    bar.append(button);
  }
  bar.append(make("span", { className: "where" }, place < 0 ? "" : `${number(place + 1)} of ${number(state.view.length)}`));
  const answers = make("div", { className: "answers" });
  const marks = isComparison && all.length > 1 ? marked(values) : [];
  all.forEach((each, index) => answers.append(answerCard(each, values[index], all.length > 1, each === row, marks[index])));
  const value = values[all.indexOf(row)];
  const side = make("div", { className: "side" });
  if (value?.messages) side.append(promptCard(value));
  if (side.children.length) side.classList.add(all.length > 1 ? "several" : "pair");
  side.append(answers);
  view.replaceChildren(bar, make("h2", { tabIndex: -1, dir: "auto" }, rows.id[row]), facts(all, values), ...unknownPrompt(value), side, ...changedFields(values), ...more(value));
  document.body.classList.add("reading");
  view.hidden = false;
  view.querySelector("h2").focus({ preventScroll: true });
  scrollTo(0, 0);
}

function close() {
  if (location.hash.startsWith("#id=")) history.pushState(null, "", "#results");
  show();
}

function step(by) {
  const place = state.view.indexOf(state.opened) + by;
  if (place >= 0 && place < state.view.length) location.hash = address(state.view[place]);
}

function show() {
  const row = rowOf(location.hash);
  if (row >= 0) { open(row); return; }
  const wasOpen = state.opened >= 0;
  state.opened = -1;
  document.getElementById("row").hidden = true;
  document.body.classList.remove("reading");
  if (wasOpen) {
    document.getElementById("results").scrollIntoView();
    move(0);
    pane.focus({ preventScroll: true });
  }
}

/** Return the facts of a row; of a comparison, also those before where they differ. */
function facts(all, values) {
  const before = isComparison && all.length > 1 ? new Map(factsOf(all[0], values[0])) : null;
  const own = isComparison ? all.length - 1 : all.indexOf(state.opened);
  const list = make("dl", { className: "facts" });
  for (const [name, text] of factsOf(all[own], values[own])) {
    const earlier = before ? before.get(name) || "–" : text;
    const shown = earlier === text || (!text && earlier === "–") ? text : `${earlier} → ${text || "–"}`;
    if (shown) list.append(make("div", {}, make("dt", {}, name), make("dd", { dir: "auto" }, shown)));
  }
  return list;
}

function factsOf(row, value) {
  const pairs = [["change", head.changes[rows.change[row]]], ["status", head.codes[rows.code[row]] || head.statuses[rows.status[row]]]];
  if (value?.stale) pairs.push(["stale", "the request has changed since"]);
  if (head.outputs.length > 1 && !isComparison) pairs.push(["output", head.outputs[rows.output[row]]]);
  pairs.push(["model", head.models[rows.model[row]]], ["served by", value?.served_by]);
  pairs.push(["verdict", head.verdicts[rows.verdict[row]]], ["finish reason", value?.finish_reason]);
  pairs.push(["tokens", `${number(rows.prompt_tokens[row])} in, ${number(rows.completion_tokens[row])} out`.replace(/^ in,  out$/, "")]);
  const stated = { provider: ", stated by the provider", mixed: ", in part stated by the provider" }[value?.cost_source];
  const cost = money(rows.cost[row]);
  pairs.push(["cost", cost && `${cost}${stated ?? ""}`], ["seconds", seconds(rows.seconds[row])]);
  pairs.push(["first byte", seconds(value?.first_byte)], ["queued", seconds(value?.queued)]);
  pairs.push(["attempts", value ? String(value.attempts ?? "") : ""], ["completed", value?.completed_at]);
  pairs.push(["redacted", value?.redacted ? "the server's text held a secret, which was removed" : ""]);
  return pairs;
}

function unknownPrompt(value) {
  if (!head.has_text || !value || value.messages || value.stale) return [];
  return [make("p", { className: "none unknown" }, "The output does not hold the prompt. A report of the job file shows it.")];
}

function promptCard(value) {
  const card = make("article", { className: "card prompt" }, make("h3", {}, "Prompt"));
  if (value.rendered) card.querySelector("h3").append(make("small", {}, `rendered from the job file${value.completed_at ? ", which has not changed since" : ""}`));
  for (const message of value.messages) {
    const parts = contentOf(message);
    if (message.role === "user" && value.messages.filter((each) => each.role === "user").length === 1) card.append(...parts);
    else if (message.role === "system") card.append(make("details", {}, make("summary", {}, "System prompt"), ...parts));
    else card.append(make("h4", {}, String(message.role ?? "message")), ...parts);
  }
  return card;
}

function contentOf(message) {
  const { role, content, ...others } = message;
  const parts = typeof content === "string" ? [text(content)] : Array.isArray(content) ? content.map(partOf) : [];
  if (Object.keys(others).length || (content && !parts.length)) parts.push(text(json(parts.length ? others : message), "text mono"));
  return parts;
}

const IMAGE = /^data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+$/;

function partOf(part) {
  if (typeof part?.text === "string") return text(part.text);
  const url = part?.image_url?.url;
  if (typeof url === "string" && IMAGE.test(url)) return make("img", { src: url, alt: "image of the prompt" });
  return text(typeof url === "string" ? `[image: ${url}]` : json(part), "text mono");
}

function answerCard(row, value, isOneOfSeveral, isThis, marks = undefined) {
  const status = head.statuses[rows.status[row]];
  const titles = [head.outputs.length > 1 ? head.outputs[rows.output[row]] : "", head.models[rows.model[row]]];
  const title = isOneOfSeveral ? titles.filter(Boolean).join(" · ") : status === "failed" ? "Error" : "Answer";
  const card = make("article", { className: isOneOfSeveral && isThis ? "card this" : "card" }, make("h3", { dir: "auto" }, title));
  if (isOneOfSeveral) card.querySelector("h3").append(make("small", {}, [seconds(rows.seconds[row]) && `${seconds(rows.seconds[row])} s`, money(rows.cost[row])].filter(Boolean).join(" · ")));
  if (status === "pending") {
    card.append(make("p", { className: "none" }, value?.stale ? "The request has changed; this answers an earlier version." : "No result yet."));
  }
  if (!value && status !== "pending") card.append(make("p", { className: "none" }, "The texts of this row are not in this page."), text(rows.words[row]));
  if (!value) return card;
  if (value.error) card.append(text([value.error.code, value.error.message].filter(Boolean).join(": "), "text mono failed"));
  if (value.text && !isSameAs(value.parsed, value.text)) card.append(text(value.text, "text", marks));
  for (const [name, heading] of [["refusal", "Refusal"], ["partial_text", "Partial text"], ["parsed", "JSON value"], ["tool_calls", "Tool calls"], ["reasoning", "Reasoning"], ["logprobs", "Log probabilities"]]) {
    if (value[name] === undefined || value[name] === null) continue;
    const isText = typeof value[name] === "string" && name !== "parsed";
    const body = text(isText ? value[name] : json(value[name]), isText ? "text" : "text mono");
    if (name === "reasoning" || name === "logprobs") card.append(make("details", {}, make("summary", {}, heading), body));
    else card.append(make("h4", {}, heading), body);
  }
  return card;
}

function isSameAs(parsed, text) {
  if (parsed === undefined) return false;
  try { return json(JSON.parse(text)) === json(parsed); } catch { return false; }
}

/** Return the changed words of two answers, each with the name of its element; none if one has no text. */
function marked(values) {
  const [before, after] = values.map((value) => value?.text);
  if (!before || !after || before === after) return [];
  const [removed, added] = changedRanges(before, after);
  return [{ name: "del", ranges: removed }, { name: "ins", ranges: added }];
}

/** Return a table of the fields in which two structured answers differ. */
function changedFields(values) {
  const [before, after] = values.map((value) => value?.parsed);
  if (!isComparison || before === undefined || after === undefined) return [];
  const changes = fieldChanges(before, after, "", 32);
  if (!changes.length) return [];
  const table = make("table", { className: "attempts" }, make("tr", {}, ...["Field", "Before", "After"].map((each) => make("th", { scope: "col" }, each))));
  for (const change of changes.slice(0, MOST_FIELDS)) {
    table.append(make("tr", {}, ...change.map((each) => make("td", { dir: "auto" }, each === undefined ? "–" : typeof each === "string" ? each : json(each)))));
  }
  const title = make("h3", {}, "Changed fields");
  if (changes.length > MOST_FIELDS) title.append(make("small", {}, `${MOST_FIELDS} of ${number(changes.length)}`));
  return [make("article", { className: "card more" }, title, table)];
}

/** Return the path of each field that differs, with its values. */
function fieldChanges(before, after, path, levels) {
  const isObject = (value) => value !== null && typeof value === "object";
  if (!levels || !isObject(before) || !isObject(after) || Array.isArray(before) !== Array.isArray(after)) {
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [[path || "value", before, after]];
  }
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const inner = (name) => (Array.isArray(before) ? `${path}[${name}]` : path ? `${path}.${name}` : name);
  const own = (value, name) => (Object.hasOwn(value, name) ? value[name] : undefined);
  return names.flatMap((name) => fieldChanges(own(before, name), own(after, name), inner(name), levels - 1));
}

/** Return a text; the end of a very long one is shown on request. */
function text(value, className = "text", marks = undefined) {
  const element = make("div", { className, dir: "auto" });
  writeMarks(element, value.slice(0, LONG), marks);
  if (value.length <= LONG) return element;
  const button = make("button", { type: "button" }, `Show all ${number(value.length)} characters`);
  button.addEventListener("click", () => { element.replaceChildren(); writeMarks(element, value, marks); button.remove(); });
  return make("div", {}, element, button);
}

/** Append a text, with elements around its changed words. */
function writeMarks(element, value, marks) {
  let from = 0;
  for (const [start, end] of marks?.ranges ?? []) {
    if (start >= value.length) break;
    write(element, value.slice(from, start), state.query);
    element.append(write(make(marks.name), value.slice(start, end), state.query));
    from = end;
  }
  write(element, value.slice(from), state.query);
}

function more(value) {
  const parts = [];
  const history = value?.error?.history ?? [];
  if (history.length) {
    const table = make("table", { className: "attempts" }, make("tr", {}, ...["Time", "Code", "Message"].map((each) => make("th", { scope: "col" }, each))));
    for (const each of history) table.append(make("tr", {}, make("td", {}, each.at), make("td", {}, each.code), make("td", { dir: "auto" }, each.message ?? "")));
    parts.push(make("article", { className: "card more" }, make("h3", {}, "Failed attempts"), table));
  }
  for (const [name, title] of [["metadata", "Input columns"], ["usage", "Usage"]]) {
    if (!value?.[name]) continue;
    const table = make("table", { className: "attempts columns" });
    for (const [key, each] of Object.entries(value[name])) {
      if (each !== null) table.append(make("tr", {}, make("th", { scope: "row", dir: "auto" }, key), make("td", { dir: "auto" }, typeof each === "string" ? each : json(each))));
    }
    parts.push(make("details", { className: "card more", open: name === "metadata" }, make("summary", {}, title), table));
  }
  return parts;
}
