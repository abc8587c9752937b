// The packed columns and blocks.

async function unpack(element) {
  const text = element.textContent;
  const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  const stream = new DecompressionStream("deflate");
  const writer = stream.writable.getWriter();
  writer.write(bytes).catch(() => {}); // an error is raised by reading, too
  writer.close().catch(() => {});
  return textOf(stream.readable.getReader());
}

let lastPause = performance.now();

/** Let the browser draw and take input, if it could not for a while: streams in memory do not wait for it. */
async function pauseIfLong() {
  if (performance.now() - lastPause < 100) return;
  await new Promise((resolve) => setTimeout(resolve));
  lastPause = performance.now();
}

/** Return the text of a stream. In Chromium, this takes half of the time of a `Response`. */
async function textOf(reader) {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(value, { stream: true });
  }
}

async function load() {
  for (const [name, type] of Object.entries(NUMBERS)) rows[name] = new type(head.total);
  const chunks = document.querySelectorAll("script.chunk");
  for (let at = 0; at < chunks.length; at += 2) {
    const chunk = JSON.parse(await unpack(chunks[at]));
    const words = JSON.parse(await unpack(chunks[at + 1]));
    const start = state.loaded;
    for (const id of chunk.id) rows.id.push(id);
    for (const text of words) rows.words.push(text);
    for (const [name, type] of Object.entries(NUMBERS)) {
      if (type === Float64Array) fillWithGaps(rows[name], chunk[name], start);
      else rows[name].set(chunk[name], start);
    }
    rows.kept.forEach((column, index) => {
      const values = chunk.kept[index];
      for (let each = 0; each < words.length; each++) column.push(values?.[each] ?? "");
    });
    state.loaded += words.length;
    await pauseIfLong();
  }
  if (isComparison) findPartners();
}

/** Record for each result of a comparison the other one with its ID; -1 if there is none. */
function findPartners() {
  const earlier = new Map();
  rows.partner = new Int32Array(state.loaded).fill(-1);
  for (let row = 0; row < state.loaded; row++) {
    if (!rows.output[row]) earlier.set(rows.id[row], row);
    else if (earlier.has(rows.id[row])) {
      rows.partner[row] = earlier.get(rows.id[row]);
      rows.partner[rows.partner[row]] = row;
    }
  }
}

/** Return the row of the table that shows a result. */
const lineOf = (row) => (isComparison && !rows.output[row] && rows.partner[row] >= 0 ? rows.partner[row] : row);

function fillWithGaps(column, values, start) {
  for (let at = 0; at < values.length; at++) column[start + at] = values[at] ?? NaN;
}

const recent = new Map(); // blocks that were unpacked last

/** Return what is shown of an opened row; null if the page does not hold it. */
async function details(row) {
  const block = rows.block[row];
  if (!blocks.has(block)) return null;
  const values = recent.get(block) ?? JSON.parse(await unpack(blocks.get(block)));
  recent.delete(block);
  recent.set(block, values);
  if (recent.size > 8) recent.delete(recent.keys().next().value);
  return values[rows.at[row]];
}
