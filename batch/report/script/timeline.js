// The values of a timeline under the pointer.

function readable(figure) {
  const chart = JSON.parse(figure.querySelector("script").textContent);
  const readout = figure.querySelector(".readout");
  const lines = [...figure.querySelectorAll(".cursor")];
  const bins = chart.series[0].values.length;
  figure.addEventListener("pointermove", (event) => {
    const area = figure.querySelector("svg").getBoundingClientRect();
    const share = (event.clientX - area.left) / area.width;
    if (share < 0 || share >= 1) return;
    const bin = Math.floor(share * bins);
    const values = chart.series
      .filter((series) => series.values[bin] !== null)
      .map((series) => `${series.name} ${number(Number(series.values[bin].toPrecision(3)))}${series.unit ? ` ${series.unit}` : ""}`);
    const from = bin * chart.width;
    readout.replaceChildren();
    write(readout, `${number(from)}–${number(from + chart.width)} s: ${values.join(" · ")}`);
    for (const each of lines) for (const side of ["x1", "x2"]) each.setAttribute(side, String((1000 * (bin + 0.5)) / bins));
  });
  figure.addEventListener("pointerleave", () => {
    readout.replaceChildren();
    for (const each of lines) for (const side of ["x1", "x2"]) each.setAttribute(side, "-9");
  });
}
