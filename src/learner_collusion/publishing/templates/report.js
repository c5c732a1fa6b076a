"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  for (const found of document.querySelectorAll(".needs-script")) found.hidden = false;

  // The claims: filtered by part and verdict, sorted by any column.
  const table = byId("claims-table");
  if (table) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    const part = byId("filter-part"), verdict = byId("filter-verdict"), by = byId("sort-by"), shown = byId("shown");
    const collator = new Intl.Collator("en", { numeric: true });
    let descending = false;

    const filter = () => {
      let count = 0;
      for (const row of rows) {
        row.hidden = (part.value && row.dataset.part !== part.value) || (verdict.value && row.dataset.verdict !== verdict.value);
        count += !row.hidden;
      }
      shown.textContent = `${count} of ${rows.length} rows`;
    };
    const before = (column) => (one, other) => {
      const a = one.cells[column].dataset.sort, b = other.cells[column].dataset.sort;
      const lacks = (text) => text === "" || text === "nan" || text === "-";
      if (lacks(a) || lacks(b)) return lacks(a) - lacks(b); // last, whatever the direction
      const x = Number(a), y = Number(b);
      const order = Number.isNaN(x) || Number.isNaN(y) ? collator.compare(a, b) : x - y;
      return descending ? -order : order;
    };
    const sort = () => {
      const column = by.value === "" ? -1 : Number(by.value);
      heads.forEach((head, i) => head.setAttribute("aria-sort", i !== column ? "none" : descending ? "descending" : "ascending"));
      body.append(...(column < 0 ? rows : [...rows].sort(before(column))));
    };
    heads.forEach((head, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.addEventListener("click", () => {
        descending = by.value === String(i) && !descending;
        by.value = String(i);
        sort();
      });
      head.replaceChildren(button);
    });
    by.addEventListener("change", () => { descending = false; sort(); });
    part.addEventListener("change", filter);
    verdict.addEventListener("change", filter);
    part.form.addEventListener("submit", (event) => event.preventDefault());
    filter();
    sort(); // a browser that goes back keeps what was chosen
  }

  // The picture that moves.
  const data = byId("moving-data") && JSON.parse(byId("moving-data").textContent);
  if (!data) return;
  const slider = byId("beta"), play = byId("play"), readout = byId("readout");
  const functions = byId("functions"), measures = byId("measures");
  const last = data.betas.length - 1;

  const make = (name, attributes, text) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const span = (numbers) => [Math.min(...numbers), Math.max(...numbers)];
  const scale = ([low, high], [from, to]) => (value) => from + ((value - low) / (high - low)) * (to - from);
  const path = (xs, ys) => xs.map((x, i) => `${i ? "L" : "M"}${x.toFixed(1)} ${ys[i].toFixed(1)}`).join("");
  const round = (value) => Number(value.toPrecision(2)).toString();

  // The axes stay while beta moves, so that what moves is the learners.
  const values = [...data.data.y, ...data.stops.flatMap((stop) => stop.learners.flat())];
  const heights = span(values);
  const logs = span(data.stops.flatMap((stop) => [stop.err, stop.div]).filter((value) => value > 0).map(Math.log10));
  const decades = [];
  for (let power = Math.ceil(logs[0]); power <= logs[1]; power++) decades.push(power);

  const frame = (svg, label) => {
    const width = Math.max(svg.parentElement.clientWidth, 200), height = Math.min(0.7 * width, 340);
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("aria-label", label);
    svg.replaceChildren();
    const inner = { left: 56, right: width - 12, top: 10, bottom: height - 38 };
    svg.append(make("path", { class: "axis", d: `M${inner.left} ${inner.top}V${inner.bottom}H${inner.right}` }));
    return inner;
  };
  const tick = (svg, x, y, text, anchor) => svg.append(make("text", { x, y, "text-anchor": anchor }, text));

  const drawFunctions = (stop, label) => {
    const box = frame(functions, label);
    const x = scale(span(data.x), [box.left, box.right]), y = scale(heights, [box.bottom - 4, box.top]);
    for (const value of [-3, -2, -1, 0, 1, 2, 3]) tick(functions, x(value), box.bottom + 16, String(value).replace("-", "−"), "middle");
    for (let value = Math.ceil(heights[0]); value <= heights[1]; value++) tick(functions, box.left - 6, y(value) + 4, String(value).replace("-", "−"), "end");
    tick(functions, (box.left + box.right) / 2, box.bottom + 33, "x", "middle");
    data.data.x.forEach((value, i) => functions.append(make("circle", { class: "datum", r: 2.5, cx: x(value).toFixed(1), cy: y(data.data.y[i]).toFixed(1) })));
    const xs = data.x.map(x);
    functions.append(make("path", { class: "ensemble", d: path(xs, stop.ensemble.map(y)) }));
    stop.learners.forEach((line, i) => functions.append(make("path", { class: `learner learner${i + 1}`, d: path(xs, line.map(y)) })));
  };
  const drawMeasures = (at, label) => {
    const box = frame(measures, label);
    const x = scale([0, last], [box.left + 4, box.right - 4]), y = scale(logs, [box.bottom - 4, box.top + 4]);
    let end = -Infinity;
    [0, 0.5, 0.9, 0.99, 0.999, 1].forEach((beta) => {
      const i = data.betas.indexOf(beta);
      if (i < 0 || x(i) - end < 34) return;
      end = x(i);
      tick(measures, end, box.bottom + 16, String(beta), "middle");
    });
    for (const power of decades) tick(measures, box.left - 6, y(power) + 4, String(Number((10 ** power).toPrecision(1))), "end");
    tick(measures, (box.left + box.right) / 2, box.bottom + 33, "beta, by the stops of the slider", "middle");
    measures.append(make("line", { class: "now", x1: x(at), x2: x(at), y1: box.top, y2: box.bottom }));
    for (const name of ["err", "div"]) {
      const ys = data.stops.map((stop) => y(Math.log10(stop[name])));
      measures.append(make("path", { class: name, d: path(data.stops.map((_, i) => x(i)), ys) }));
      measures.append(make("circle", { class: name, r: 5, cx: x(at), cy: ys[at] }));
      const beside = name === "div" ? Math.floor(0.8 * last) : 0; // where its line is far from the other
      const place = name === "div" ? { x: x(beside) - 10, "text-anchor": "end" } : { x: x(0) + 6 };
      measures.append(make("text", { class: name, y: ys[beside] - 8, ...place }, name.toUpperCase()));
    }
  };
  const draw = () => {
    const at = Number(slider.value), stop = data.stops[at];
    const text = `beta ${data.betas[at]}: ERR ${round(stop.err)}, DIV ${round(stop.div)}`;
    const moved = at ? `, and the ensemble is at most ${round(stop.moved)} from where it was at beta ${data.betas[0]}` : "";
    const apart = `the learners are up to ${round(stop.apart)} apart${moved}`;
    slider.setAttribute("aria-valuetext", text);
    const bold = document.createElement("b");
    bold.textContent = text;
    readout.replaceChildren(bold, `; ${apart}.`);
    drawFunctions(stop, `Predictions at ${text}; ${apart}.`);
    drawMeasures(at, `ERR and DIV against beta; now at ${text}.`);
  };

  let timer = 0;
  const pause = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
  };
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  still.addEventListener("change", pause);
  play.addEventListener("click", () => {
    if (timer) return pause();
    if (still.matches) return;
    if (Number(slider.value) === last) slider.value = 0;
    play.textContent = "Pause";
    timer = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      draw();
      if (Number(slider.value) === last) pause();
    }, 250);
    draw();
  });
  slider.addEventListener("input", () => { pause(); draw(); });
  let width = 0;
  new ResizeObserver(() => {
    if (functions.parentElement.clientWidth === width) return;
    width = functions.parentElement.clientWidth;
    draw();
  }).observe(functions.parentElement);
  draw();
})();
