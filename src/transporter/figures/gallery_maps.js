"use strict";

// Where the target word is: its map over the clips, and how much of it lies on the thing that
// moves. A page without maps hides both. What is called here and not defined is in gallery.js.

const mapsOn = () => state.map !== "" && rowsShown().some(sweep => sweep.map);

function drawMapChoice() {
  const there = rowsShown().some(sweep => sweep.map);
  $("map-choice").hidden = $("map-hint").hidden = !there;
  $("map").checked = mapsOn();
  $("map-name").textContent = `Where “${conceptOf(current()).target}” is`;
}

// The scale of a row's maps, in the units that they are read in.
function mapScale(sweep) {
  if (!sweep.map || !mapsOn()) return null;
  const { low, high } = sweep.map;
  const ramp = `background: linear-gradient(to right, ${data.map_colours.join(", ")})`;
  const ends = `from ${fixed(low)} to ${fixed(high)}`;
  return element("small", { class: "scale", title: `map of “${conceptOf(sweep).target}”, ${ends}` },
    `“${conceptOf(sweep).target}” ${fixed(low)}`, element("i", { style: ramp }), fixed(high));
}

const sheets = new Map();

function sheetOf(url) {
  if (!sheets.has(url)) {
    const image = new Image();
    image.src = url;
    sheets.set(url, image);
  }
  return sheets.get(url);
}

// A sheet has a row for each stop, and in it the latent's frames side by side.
function layMap(tile, run, sweep, k) {
  const on = mapsOn() && Boolean(run.map) && run.clips[k] !== null;
  tile.map.hidden = !on;
  tile.layer = on ? { sheet: sheetOf(run.map), k, ...sweep.map } : null;
  tile.drawn = null;
}

function drawMaps() {
  for (const tile of tiles.values()) {
    const video = onShow(tile), layer = tile.layer;
    if (!layer || !video || !layer.sheet.complete || !layer.sheet.naturalWidth) continue;
    const { frames, height, width } = layer, last = frames.length - 1;
    const at = Math.floor(video.currentTime / video.duration * frames.length);
    const frame = frames[Math.min(last, Math.max(0, at || 0))];
    const drawn = [layer.sheet.src, layer.k, frame].join();
    if (tile.drawn === drawn) continue;
    tile.drawn = drawn;
    Object.assign(tile.map, { width, height }); // also clears it
    tile.map.getContext("2d").drawImage(
      layer.sheet, frame * width, layer.k * height, width, height, 0, 0, width, height);
  }
}

function drawInside(sweep) {
  const known = sweep.runs.some(run => run.inside);
  $("inside-figure").hidden = !known;
  if (!known) return $("inside").replaceChildren();
  const all = name => sweep.stops.map(
    (_, k) => mean(sweep.runs.map(run => run[name]?.[k])));
  const inside = all("inside"), base = all("base");
  const plot = axes($("inside"), sweep, -0.04, 1.04, percent);
  line(plot, strengths(sweep), base, { class: "base", "data-curve": "base" });
  for (const run of sweep.runs.filter(one => one.inside)) {
    const picked = run.seed === state.seed ? " chosen" : "";
    line(plot, run.phi, run.inside, {
      class: "seed" + picked, stroke: plot.ramp, "data-seed": run.seed, "data-curve": "inside" });
  }
  line(plot, strengths(sweep), inside, { class: "mean", stroke: plot.ramp, "data-curve": "inside" });
  dots(plot, sweep, inside, ramp);
  const word = conceptOf(sweep).target;
  $("inside-title").textContent = `Is “${word}” put on the thing?`;
  plot.svg.setAttribute("aria-label", `Share of the map of ${word} on the thing over phi;`
    + ` mean ${inside.map(percent).join(", ")}; of all tokens ${base.map(percent).join(", ")}`);
  key("inside-key", [
    ["mean", plot.ramp, "mean of seeds"],
    ["base", null, "share of all tokens"]]);
}
