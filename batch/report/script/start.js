// Keys, addresses and the start.

function press(event) {
  const isTyping = event.target.matches("input, select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const isOpen = state.opened >= 0;
  if (event.key === "Escape") {
    if (isOpen) close();
    else if (isTyping) { if (box.value) { box.value = ""; search(""); } event.target.blur(); pane.focus({ preventScroll: true }); }
    return;
  }
  if (isTyping) {
    if (event.key === "Enter" && event.target === box) { pane.focus(); }
    return;
  }
  const steps = { j: 1, k: -1, ArrowDown: 1, ArrowUp: -1, PageDown: 15, PageUp: -15, Home: -Infinity, End: Infinity };
  const isArrow = event.key.length > 1 && event.key in steps;
  if (event.key === "/") { if (isOpen) close(); box.focus(); box.select(); }
  else if (event.key in steps && isOpen && !isArrow) step(steps[event.key]);
  else if (event.key in steps && !isOpen && (!isArrow || event.target === pane)) move(steps[event.key]);
  else if (event.key === "Enter" && !isOpen && state.view.length && !event.target.matches("a, button, summary")) location.hash = address(state.view[state.cursor]);
  else return;
  event.preventDefault();
}

let waiting = 0;
box.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => { pane.scrollTop = 0; search(box.value.toLowerCase()); }, 150);
});
pane.addEventListener("scroll", () => requestAnimationFrame(paint));
addEventListener("resize", () => { height = 0; refresh(); });
addEventListener("hashchange", show);
document.addEventListener("keydown", press);
document.querySelectorAll("[data-chart]").forEach(readable);
document.getElementById("table").replaceChildren(make("p", { className: "none" }, "Reading the results …"));
load().then(() => {
  dropEmptyColumns();
  build();
  refresh();
  show();
  if (location.hash === "#results") document.getElementById("results").scrollIntoView();
  document.documentElement.dataset.ready = "true";
});
