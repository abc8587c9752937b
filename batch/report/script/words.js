// The words in which two texts differ, as ranges of characters.

// Scripts without spaces between words: each character counts as a word.
const UNSPACED = "\\u0e00-\\u0eff\\u1000-\\u109f\\u1780-\\u17ff\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{3ffff}";
const WORD = new RegExp(`[${UNSPACED}]|[^\\s${UNSPACED}]+`, "gu");
const MOST_EDITS = 1500; // words; texts that differ in more are marked as a whole

/** Return the changed ranges of both texts, each as [start, end] in order. */
function changedRanges(before, after) {
  const old = wordsOf(before), now = wordsOf(after);
  let start = 0, oldEnd = old.length, newEnd = now.length;
  while (start < oldEnd && start < newEnd && old[start].text === now[start].text) start++;
  while (oldEnd > start && newEnd > start && old[oldEnd - 1].text === now[newEnd - 1].text) { oldEnd--; newEnd--; }
  const middle = [old.slice(start, oldEnd), now.slice(start, newEnd)];
  return ranges(...middle, commonWords(...middle));
}

function wordsOf(text) {
  return Array.from(text.matchAll(WORD), (match) => ({ text: match[0], start: match.index, end: match.index + match[0].length }));
}

/** Return pairs of places with the same word, in the order of both lists: the algorithm of Myers. */
function commonWords(old, now) {
  const most = Math.min(old.length + now.length, MOST_EDITS);
  const furthest = new Int32Array(2 * most + 3); // by diagonal, the place in `old` that is reached
  const steps = [];
  for (let edits = 0; edits <= most; edits++) {
    steps.push(furthest.slice(most + 1 - edits - 1, most + 1 + edits + 2));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const at = most + 1 + diagonal;
      let x = diagonal === -edits || (diagonal !== edits && furthest[at - 1] < furthest[at + 1]) ? furthest[at + 1] : furthest[at - 1] + 1;
      while (x < old.length && x - diagonal < now.length && old[x].text === now[x - diagonal].text) x++;
      furthest[at] = x;
      if (x >= old.length && x - diagonal >= now.length) return pathBack(steps, old.length, now.length);
    }
  }
  return [];
}

function pathBack(steps, oldEnd, newEnd) {
  const common = [];
  let x = oldEnd, y = newEnd;
  for (let edits = steps.length - 1; edits >= 0; edits--) {
    const furthest = steps[edits], middle = edits + 1, diagonal = x - y;
    const isDown = diagonal === -edits || (diagonal !== edits && furthest[middle + diagonal - 1] < furthest[middle + diagonal + 1]);
    const from = edits ? (isDown ? furthest[middle + diagonal + 1] : furthest[middle + diagonal - 1] + 1) : 0;
    while (x > from) common.push([--x, --y]);
    if (isDown) y--; else x--;
  }
  return common.reverse();
}

/** Return the characters between the common words, in each text. */
function ranges(old, now, common) {
  const found = [[], []];
  let oldPlace = 0, newPlace = 0;
  for (const [x, y] of [...common, [old.length, now.length]]) {
    if (x > oldPlace) found[0].push([old[oldPlace].start, old[x - 1].end]);
    if (y > newPlace) found[1].push([now[newPlace].start, now[y - 1].end]);
    oldPlace = x + 1;
    newPlace = y + 1;
  }
  return found;
}
