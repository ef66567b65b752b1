"use strict";
// Everything stands on the page without this script; it adds reading values off by pointer,
// sorting and copying.
(() => {
  const make = (name, className, text) => {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const draw = (parent, name, attributes) => {
    const element = document.createElementNS(parent.namespaceURI, name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    parent.append(element);
    return element;
  };
  const tip = document.body.appendChild(make("div", "tip"));
  tip.hidden = true;
  const place = (event) => {
    tip.hidden = false;
    const right = event.clientX + 18 + tip.offsetWidth > innerWidth;
    tip.style.left = Math.max(4, event.clientX + (right ? -tip.offsetWidth - 14 : 18)) + "px";
    tip.style.top = Math.max(4, Math.min(event.clientY - 10, innerHeight - tip.offsetHeight - 6)) + "px";
  };
  const spot = (svg, event) => {
    const at = new DOMPoint(event.clientX, event.clientY);
    return at.matrixTransform(svg.getScreenCTM().inverse());
  };

  for (const svg of document.querySelectorAll("[data-hover]")) {
    const { box, scales, x, series, label, unit } = JSON.parse(svg.dataset.hover);
    const [left, top, right, bottom] = box;
    const [x0, x1, y0, y1] = scales;
    const cursor = draw(svg, "line", { y1: top, y2: bottom, class: "cursor", visibility: "hidden" });
    const dots = series.map((s) => draw(svg, "circle", { r: 3.5, class: "fill c" + s.c, visibility: "hidden" }));
    const say = (v) => (unit === "%" ? (100 * v).toFixed(1) + " %" : v.toPrecision(4));
    const hide = () => {
      tip.hidden = true;
      for (const mark of [cursor, ...dots]) mark.setAttribute("visibility", "hidden");
    };
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("pointermove", (event) => {
      const at = spot(svg, event);
      if (at.x < left - 8 || at.x > right + 8 || at.y < top - 8 || at.y > bottom + 8) return hide();
      const wanted = x0 + ((at.x - left) / (right - left)) * (x1 - x0);
      let k = 0;
      x.forEach((value, i) => { if (Math.abs(value - wanted) < Math.abs(x[k] - wanted)) k = i; });
      const px = left + ((x[k] - x0) / (x1 - x0)) * (right - left);
      cursor.setAttribute("x1", px);
      cursor.setAttribute("x2", px);
      cursor.setAttribute("visibility", "visible");
      tip.replaceChildren(make("div", "head", label + " " + x[k]));
      series.forEach((s, i) => {
        const value = s.y[k];
        const known = value !== null && value !== undefined;
        dots[i].setAttribute("visibility", known ? "visible" : "hidden");
        if (!known) return;
        const clipped = Math.min(Math.max(value, y0), y1);
        dots[i].setAttribute("cx", px);
        dots[i].setAttribute("cy", bottom - ((clipped - y0) / (y1 - y0)) * (bottom - top));
        const row = make("div");
        const name = make("span");
        name.append(make("i", "swatch b" + s.c), s.name);
        row.append(name, make("span", "", say(value)));
        tip.append(row);
      });
      place(event);
    });
  }

  for (const svg of document.querySelectorAll("[data-matrix]")) {
    const { left, top, cell, names, groups, rows, totals } = JSON.parse(svg.dataset.matrix);
    const readout = svg.closest(".matrix").querySelector(".readout");
    const pick = draw(svg, "rect", { class: "pick", width: cell, height: cell, visibility: "hidden" });
    const hint = "Point at a cell to read it.";
    readout.textContent = hint;
    const counts = rows.map((row) => {
      const found = new Map();
      for (let i = 0; i < row.length; i += 2) found.set(row[i], row[i + 1]);
      return found;
    });
    svg.addEventListener("pointerleave", () => {
      pick.setAttribute("visibility", "hidden");
      readout.textContent = hint;
    });
    svg.addEventListener("pointermove", (event) => {
      const at = spot(svg, event);
      const column = Math.floor((at.x - left) / cell);
      const row = Math.floor((at.y - top) / cell);
      const inside = row >= 0 && column >= 0 && row < names.length && column < names.length;
      pick.setAttribute("visibility", inside ? "visible" : "hidden");
      if (!inside) { readout.textContent = hint; return; }
      pick.setAttribute("x", left + column * cell);
      pick.setAttribute("y", top + row * cell);
      const n = counts[row].get(column) || 0;
      const family = (k) => (groups.length ? " (" + groups[k] + ")" : "");
      readout.replaceChildren(make("b", "", names[row]), family(row));
      readout.append(row === column ? " classified correctly, " : " predicted as ");
      if (row !== column) readout.append(make("b", "", names[column]), family(column) + " ");
      readout.append(n + " of " + totals[row] + " times");
    });
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, k) => {
      const button = make("button", "", head.textContent);
      button.type = "button";
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const cellOf = (row) => row.cells[k];
        const numeric = [...body.rows].some((row) => cellOf(row).dataset.sort !== undefined);
        const before = head.getAttribute("aria-sort");
        const down = before ? before === "ascending" : numeric;
        const value = (row) => (numeric ? Number(cellOf(row).dataset.sort ?? -Infinity) : cellOf(row).textContent);
        const sorted = [...body.rows].sort((a, b) => {
          const [p, q] = [value(a), value(b)];
          const order = numeric ? p - q : p.localeCompare(q, undefined, { numeric: true });
          return down ? -order : order;
        });
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        body.append(...sorted);
      });
    });
  }

  for (const block of document.querySelectorAll("pre.command")) {
    const button = make("button", "copy", "copy");
    button.type = "button";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(block.querySelector("code").textContent);
      } catch {
        getSelection().selectAllChildren(block.querySelector("code"));
        return;
      }
      button.textContent = "copied";
      setTimeout(() => { button.textContent = "copy"; }, 1500);
    });
    block.append(button);
  }

  addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details")) part.open = true;
  });

  const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
  const seen = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) links.get(entry.target.id)?.classList.toggle("here", entry.isIntersecting);
    },
    { rootMargin: "-30% 0px -60% 0px" },
  );
  for (const section of document.querySelectorAll("section")) seen.observe(section);
})();
