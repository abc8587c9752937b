"use strict";
// Text of prompts and answers reaches the page through `textContent` alone, never as markup.
// The rows are columns of equal length; a row is a number. Texts are unpacked when they are looked at.

const head = JSON.parse(document.getElementById("head").textContent);
const blocks = new Map([...document.querySelectorAll("script.block")].map((each) => [Number(each.dataset.block), each]));
const rows = { id: [], words: [], kept: head.columns.map(() => []) };
const NUMBERS = {
  output: Uint16Array, status: Uint8Array, change: Uint8Array, code: Uint32Array, verdict: Uint8Array, model: Uint32Array,
  prompt_tokens: Float64Array, completion_tokens: Float64Array, cost: Float64Array, seconds: Float64Array,
  block: Int32Array, at: Int32Array,
};
// A page that compares two outputs has a line for each ID: the later result, or else the earlier one.
const isComparison = head.changes.length > 1;
const DIFFERS = -2; // the filter of all rows that are not the same
const isDifferent = (row) => head.changes[rows.change[row]] !== head.same;
const state = { loaded: 0, view: new Uint32Array(0), cursor: 0, opened: -1, sort: "", down: false, filter: {}, query: "", found: null };
const MOST_KEPT = 100_000_000; // characters that are kept after a search, for the next one
const LONG = 100_000;      // characters of a text that are shown at once
const MOST_FIELDS = 200; // changed fields of one answer
const MOST = 12;          // answers side by side
const TALLEST = 8_000_000; // pixels; browsers limit the height of an element
