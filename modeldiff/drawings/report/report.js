"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const table = find("rows"), body = table.tBodies[0], panel = find("panel"), tip = find("tip");
  const rows = [...body.rows], pictures = [...document.querySelectorAll(".picture")];
  const cells = [...document.querySelectorAll("a.cell")];
  const rowOf = (cell) => find("r" + cell.dataset.row);
  const heads = [...table.tHead.rows[0].cells].map((head) => head.textContent);
  const metrics = table.dataset.metrics.split(" ").filter(Boolean), before = 5;
  const valueOf = (row, at) => row.dataset.v.split(",")[at];
  const wordsOf = (row, at) => row.cells[before + at].textContent;
  const make = (tag, text, kind) => {
    const element = kind ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  document.body.classList.add("scripted");

  // The metric: each has a drawing of its own.
  const chooser = find("metric");
  const metricOf = (picture) => metrics.indexOf(picture.dataset.of);
  const placeOf = (cell) => rowOf(cell).dataset.p;
  const label = (cell) => {
    const row = rowOf(cell), metric = metricOf(cell.closest(".picture"));
    if (row.dataset.q === undefined) return placeOf(cell) + ": " + row.cells[3].textContent;
    const broken = row.cells[3].textContent.includes("not finite") ? " of the finite elements" : "";
    return placeOf(cell) + ": " + heads[before + metric].toLowerCase() + " " + wordsOf(row, metric) + broken;
  };
  const seen = () => pictures.find((picture) => !picture.hidden);
  const cellOf = (row) => seen()?.querySelector(`[data-row="${row.id.slice(1)}"]`);
  for (const cell of cells) {
    cell.setAttribute("aria-label", label(cell));
    cell.setAttribute("tabindex", "-1");
  }
  for (const picture of pictures) picture.querySelector("a.cell")?.setAttribute("tabindex", "0");
  chooser?.addEventListener("change", () => {
    for (const picture of pictures) picture.hidden = picture.dataset.of !== chooser.value;
    find("says").textContent = chooser.selectedOptions[0].dataset.says;
    const chosen = body.querySelector(".chosen");
    if (chosen && cellOf(chosen)) choose(cellOf(chosen));
  });

  // Pointing at a cell.
  let pointed = null;
  const showTip = (cell) => {
    pointed = cell;
    tip.textContent = label(cell);
    tip.hidden = false;
    const box = cell.getBoundingClientRect(), own = tip.getBoundingClientRect();
    const left = Math.max(Math.min(box.left + box.width / 2 - own.width / 2, innerWidth - own.width - 6), 6);
    const top = box.top - own.height - 8 < 0 ? box.bottom + 8 : box.top - own.height - 8;
    tip.style.left = left + "px";
    tip.style.top = top + "px";
  };
  const hideTip = () => {
    pointed = null;
    tip.hidden = true;
  };
  // The tip stays with its cell.
  addEventListener("scroll", () => pointed && showTip(pointed), { passive: true, capture: true });

  // The panel of a chosen cell.
  const distribution = (row) => {
    const bars = row.dataset.h;
    const [first, last] = table.dataset.decades.split(" ").map(Number);
    const svg = make("svg", undefined, true), width = 300, height = 70;
    svg.setAttribute("viewBox", `0 0 ${width} ${height + 18}`);
    svg.setAttribute("class", "bars");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", "How often each size of relative change occurs");
    const draw = (tag, attributes, text) => {
      const element = make(tag, text, true);
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      svg.append(element);
    };
    [...bars].forEach((bar, at) => {
      const high = (parseInt(bar, 36) / 35) * height, wide = width / bars.length;
      if (high) draw("rect", { x: at * wide, y: height - high, width: wide - 0.6, height: high, fill: "var(--bar)" });
    });
    draw("path", { d: `M0,${height + 0.5}H${width}`, stroke: "var(--line)" });
    for (let power = first; power <= last; power += 1) {
      const x = ((power - first) / (last - first)) * width;
      draw("path", { d: `M${x},${height}v4`, stroke: "var(--muted)" });
      if ((power - first) % 2 === 1 || power === last) continue;
      draw("text", { x, y: height + 15, "text-anchor": power === first ? "start" : "middle", fill: "var(--muted)" }, Number(`1e${power}`) + " %");
    }
    const marks = [["median", Number(valueOf(row, metrics.indexOf("median_pct")))], ["floor", Number.parseFloat(row.dataset.q.split("|")[4])]];
    marks.forEach(([name, value], at) => {
      const x = ((Math.log10(value) - first) / (last - first)) * width;
      if (!(x > 0 && x < width)) return;
      draw("path", { d: `M${x},0V${height}`, stroke: "var(--text)", "stroke-dasharray": name === "floor" ? "2 2" : "none" });
      const right = x > width / 2;
      draw("text", { x: x + (right ? -4 : 4), y: 10 + 13 * at, "text-anchor": right ? "end" : "start" }, name);
    });
    return svg;
  };
  const whole = find("whole"), wholeRow = whole && find(whole.dataset.row);
  if (wholeRow?.dataset.h) whole.append(make("p", "How far those elements moved that changed, in percent of base:"), distribution(wholeRow));
  const frame = make("rect", undefined, true);
  frame.setAttribute("class", "frame");
  const choose = (cell) => {
    const row = rowOf(cell);
    for (const old of document.querySelectorAll(".chosen")) old.classList.remove("chosen");
    cell.classList.add("chosen");
    row.classList.add("chosen");
    for (const name of ["x", "y", "width", "height"]) frame.setAttribute(name, cell.querySelector("rect").getAttribute(name));
    cell.closest("svg").append(frame); // over all neighbours
    const parts = [make("h3", placeOf(cell))];
    const status = row.cells[3].textContent;
    parts.push(make("p", [status === "merged" ? "" : status, row.dataset.note].filter(Boolean).join("; ")));
    if (status !== "merged") parts.push(make("p", row.cells[row.cells.length - 1].textContent + " · " + row.cells[4].textContent));
    if (row.dataset.h) {
      parts.push(make("p", "How far those elements moved that changed, in percent of base:"));
      parts.push(distribution(row));
    }
    if (row.dataset.q !== undefined) {
      const list = make("dl");
      metrics.forEach((_, at) => list.append(make("dt", heads[before + at]), make("dd", wordsOf(row, at))));
      const details = row.dataset.q.split("|");
      table.dataset.details.split("|").forEach((name, at) => list.append(make("dt", name), make("dd", details[at])));
      parts.push(list);
    }
    const link = make("a", "Its row in the table");
    link.href = "#" + row.id;
    parts.push(link);
    panel.replaceChildren(...parts);
  };
  const boxOf = (cell) => {
    const rect = cell.querySelector("rect");
    const [x, y, width, height] = ["x", "y", "width", "height"].map((name) => Number(rect.getAttribute(name)));
    return { x, y, width, height };
  };
  const beside = (cell, key) => {
    const own = boxOf(cell), x = own.x + own.width / 2, y = own.y + own.height / 2;
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    let best = null, least = Infinity;
    for (const other of cell.closest("svg").querySelectorAll("a.cell")) {
      const box = boxOf(other);
      const ahead = dx ? dx * (box.x + box.width / 2 - x) : dy * (box.y + box.height / 2 - y);
      const aside = dx ? Math.max(box.y - y, y - box.y - box.height, 0) : Math.max(box.x - x, x - box.x - box.width, 0);
      if (other !== cell && ahead > 0.5 && ahead + 20 * aside < least) [best, least] = [other, ahead + 20 * aside];
    }
    return best;
  };
  for (const cell of cells) {
    cell.addEventListener("pointerenter", () => showTip(cell));
    cell.addEventListener("pointerleave", hideTip);
    cell.addEventListener("focus", () => showTip(cell));
    cell.addEventListener("blur", hideTip);
    cell.addEventListener("click", (event) => {
      event.preventDefault();
      choose(cell);
    });
    cell.addEventListener("keydown", (event) => {
      if (!event.key.startsWith("Arrow")) return;
      event.preventDefault();
      const next = beside(cell, event.key);
      if (!next) return;
      cell.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    });
  }
  for (const link of body.querySelectorAll("th a")) {
    link.addEventListener("click", () => {
      const cell = cellOf(link.closest("tr"));
      if (cell) choose(cell);
    });
  }

  // The table.
  const filter = find("filter"), status = find("status"), count = find("count");
  const texts = new Map(rows.map((row) => [row, (row.cells[1].textContent + " " + row.cells[row.cells.length - 1].textContent).toLowerCase()]));
  for (const name of new Set(rows.map((row) => row.cells[3].textContent))) status.append(make("option", name));
  const sift = () => {
    const wanted = filter.value.trim().toLowerCase();
    let left = 0;
    for (const row of rows) {
      const passes = texts.get(row).includes(wanted) && (!status.value || row.cells[3].textContent === status.value);
      row.hidden = !passes;
      left += passes;
    }
    count.textContent = `${left.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
  };
  status.addEventListener("change", sift);
  filter.addEventListener("input", sift);
  sift();
  const number = new Map(rows.map((row, at) => [row, at]));
  const keyOf = (row, at) => {
    const text = row.cells[at].textContent;
    if (at >= before && at < before + metrics.length) return valueOf(row, at - before) === "" ? null : Number(valueOf(row, at - before));
    if (at === 0) return text === "" || text === "all" ? -1 : Number(text);
    return at === 2 ? Number(text.replaceAll(",", "")) : text;
  };
  [...table.tHead.rows[0].cells].forEach((head, at) => {
    const button = make("button", head.textContent);
    button.type = "button";
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const numeric = at >= before && at < before + metrics.length;
      const was = head.getAttribute("aria-sort");
      const order = was ? (was === "ascending" ? "descending" : "ascending") : numeric ? "descending" : "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", order);
      const keys = new Map(rows.map((row) => [row, keyOf(row, at)]));
      const sign = order === "ascending" ? 1 : -1;
      rows.sort((one, two) => {
        const [a, b] = [keys.get(one), keys.get(two)];
        if (a === b) return number.get(one) - number.get(two);
        if (a === null || b === null) return a === null ? 1 : -1; // what has no number stands last
        return sign * (a < b ? -1 : 1);
      });
      body.append(...rows);
    });
  });

  // A box of the diagram leads to its rows.
  for (const box of document.querySelectorAll("[data-node]")) {
    const show = () => {
      filter.value = box.dataset.node;
      sift();
      find("table").scrollIntoView();
    };
    box.addEventListener("click", show);
    box.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      show();
    });
  }
})();
