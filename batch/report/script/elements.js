// Elements and the texts in them.

// Characters that are invisible or change the direction of text; joiners are part of words and emoji.
const INVISIBLES = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu;
const PLAIN = new Set(["\n", "\t", "\u200c", "\u200d"]);

function escaped(character) {
  const code = character.codePointAt(0);
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
}

/** Append a text to an element, with its invisible characters made visible and all `find` marked. */
function write(element, text, find = "") {
  let from = 0;
  const add = (part) => (find ? writeMarked(element, part, find) : element.append(part));
  for (const match of text.matchAll(INVISIBLES)) {
    if (PLAIN.has(match[0])) continue;
    add(text.slice(from, match.index));
    element.append(make("span", { className: "invisible" }, escaped(match[0])));
    from = match.index + match[0].length;
  }
  add(text.slice(from));
  return element;
}

function writeMarked(element, text, find) {
  const lower = text.toLowerCase();
  let from = 0;
  for (let at = lower.indexOf(find), count = 0; at >= 0 && count < 1000; at = lower.indexOf(find, from), count++) {
    element.append(text.slice(from, at), make("mark", {}, text.slice(at, at + find.length)));
    from = at + find.length;
  }
  element.append(text.slice(from));
}

function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") element.setAttribute(key, value);
    else element[key] = value;
  }
  for (const child of children) typeof child === "string" ? write(element, child) : element.append(child);
  return element;
}

const number = (value) => (Number.isNaN(value) || value === null || value === undefined ? "" : value.toLocaleString("en-US"));
const seconds = (value) => (value >= 0 ? (value < 10 ? value.toFixed(2) : value.toFixed(1)) : "");
const money = (value) => (value >= 0 ? value.toLocaleString("en-US", { maximumSignificantDigits: 3 }) : "");
const json = (value) => JSON.stringify(value, null, 2);
