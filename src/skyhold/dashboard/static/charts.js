// Charts that can be read by pointing and by keys. What they show is there without it, in tables and by forms.
"use strict";

const SPACE = "http://www.w3.org/2000/svg";
const REACH = 24;

function pointsOf(line) {
  return line.getAttribute("points").split(" ").map((pair) => pair.split(",").map(Number));
}

function nearest(points, x) {
  return points.reduce((best, point) => (Math.abs(point[0] - x) < Math.abs(best[0] - x) ? point : best));
}

function element(name, className, parent) {
  const made = document.createElementNS(SPACE, name);
  made.setAttribute("class", className);
  made.setAttribute("visibility", "hidden");
  parent.append(made);
  return made;
}

function setUpChart(figure) {
  const plot = figure.querySelector(".lines");
  const readout = figure.querySelector(".readout");
  const told = figure.dataset;
  const [low, high, start, end] = [told.low, told.high, told.start, told.end].map(Number);
  const [begins, ends] = [Date.parse(`${told.begins}Z`), Date.parse(`${told.ends}Z`)];
  const names = [...figure.querySelectorAll(".legend li")].map((item) => item.textContent.trim());
  const curves = new Map();
  for (const line of plot.querySelectorAll("polyline")) {
    curves.set(line.getAttribute("class"), [...(curves.get(line.getAttribute("class")) || []), ...pointsOf(line)]);
  }
  const cursor = element("path", "cursor", plot);
  const part = element("rect", "part", plot);
  part.setAttribute("height", "240");
  let at = 0;
  let from = null;

  function show(x) {
    at = Math.max(0, Math.min(1000, x));
    cursor.setAttribute("d", `M${at} 0V240`);
    cursor.setAttribute("visibility", "visible");
    const moment = new Date(begins + (ends - begins) * (at / 1000));
    const values = [...curves.values()].map((points, place) => {
      const value = high - (nearest(points, at)[1] / 240) * (high - low);
      return `${names[place]} ${Number(value.toPrecision(4)).toLocaleString("en")}`;
    });
    const when = moment.toLocaleString("en-GB", { timeZone: "UTC", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
    readout.textContent = `about ${when}: ${values.join("; ")}`;
  }

  function placeOf(event) {
    const box = plot.getBoundingClientRect();
    return Math.max(0, Math.min(1000, ((event.clientX - box.left) / box.width) * 1000));
  }

  plot.addEventListener("pointermove", (event) => {
    show(placeOf(event));
    if (from === null) return;
    part.setAttribute("x", String(Math.min(from, at)));
    part.setAttribute("width", String(Math.abs(at - from)));
    part.setAttribute("visibility", "visible");
  });
  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.pointerType === "touch") return;
    from = placeOf(event);
    plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const [left, right] = [from, placeOf(event)].sort((one, other) => one - other);
    from = null;
    part.setAttribute("visibility", "hidden");
    if (right - left > 10) zoom(left, right);
  });
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -50, PageDown: 50 }[event.key];
    if (step !== undefined) show(at + step * Math.max(1, 1000 / (end - start)));
    else if (event.key === "Home" || event.key === "End") show(event.key === "Home" ? 0 : 1000);
    else return;
    event.preventDefault();
  });

  function zoom(left, right) {
    const address = new URL(told.address, location.href);
    address.searchParams.set("start", String(Math.floor(start + (left / 1000) * (end - start)) + 1));
    address.searchParams.set("end", String(Math.ceil(start + (right / 1000) * (end - start))));
    location.assign(address);
  }
}

function heightAt(points, x) {
  const after = points.findIndex((point) => point[0] >= x);
  if (after < 1) return after === 0 ? points[0][1] : points[points.length - 1][1];
  const [[left, low], [right, high]] = [points[after - 1], points[after]];
  return low + ((high - low) * (x - left)) / (right - left || 1);
}

function setUpLines(plot) {
  const readout = document.querySelector(".readout");
  const words = [...readout.childNodes];
  const lines = [...plot.querySelectorAll("polyline[data-label]")].map((line) => ({ line, points: pointsOf(line) }));
  const view = plot.viewBox.baseVal;
  const marked = element("polyline", "marked", plot);

  plot.addEventListener("pointermove", (event) => {
    const box = plot.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * view.width;
    const y = ((event.clientY - box.top) / box.height) * view.height + view.y;
    const near = lines.reduce((best, each) => {
      const distance = Math.abs(heightAt(each.points, x) - y);
      return distance < best.distance ? { ...each, distance } : best;
    }, { line: null, distance: REACH });
    if (!near.line) return;
    readout.textContent = near.line.dataset.label;
    marked.setAttribute("points", near.line.getAttribute("points"));
    marked.setAttribute("visibility", "visible");
  });
  plot.addEventListener("pointerleave", () => {
    readout.replaceChildren(...words);
    marked.setAttribute("visibility", "hidden");
  });
}

document.querySelectorAll(".chart").forEach(setUpChart);
document.querySelectorAll(".across").forEach(setUpLines);
