"use strict";

// 1. Small helpers ----------------------------------------------------------------------------

const $ = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== undefined && value !== null && value !== false)
      node.setAttribute(name, value);
  }
  node.append(...children.filter(child => child !== null));
  return node;
}

function drawn(tag, attributes = {}, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

// Rebuilds what `node` holds only when `key` changes, so that focus and scrolling stay.
function build(node, key, children) {
  const text = JSON.stringify(key);
  if (node.builtFrom === text) return;
  node.builtFrom = text;
  node.replaceChildren(...children());
}

const unique = values => [...new Set(values)];
const present = values => values.filter(value => value !== null && value !== undefined);
const neighbour = (list, value, by) =>
  list[Math.min(list.length - 1, Math.max(0, list.indexOf(value) + by))];
const turned = (list, value) => list[(list.indexOf(value) + 1) % list.length];
const pick = (list, wanted) => list.includes(wanted) ? wanted : list[0];

function mean(values) {
  const some = present(values);
  return some.length ? some.reduce((a, b) => a + b, 0) / some.length : null;
}

const NONE = "–";
const or = format => value => value === null || value === undefined ? NONE : format(value);
const short = value => String(Number(value.toFixed(2)));
const pretty = name => name.replaceAll("_", " ");
const signed = or(value => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(1));
const percent = or(value => Math.round(100 * value) + " %");
const fixed = or(value => (value < 0 ? "−" : "") + Math.abs(value).toFixed(2));

// 2. The data, and what is chosen of it -------------------------------------------------------

const data = JSON.parse($("data").textContent);
const KINDS = { object: "objects", action: "actions", scene: "scenes" };
const METHODS = {
  transporter: "the concept, added to the text condition at strength φ",
  random: "a control: a random direction as long as the concept",
  prompt_interpolation: "a control without the VLM: from the one caption to the other",
};
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const state = {
  generator: null, vlm: null, concept: null, method: null, compare: "", seed: null, stop: 0,
  map: "",
  playing: !still, turning: false,
};

const sweeps = wanted => data.sweeps.filter(
  sweep => Object.entries(wanted).every(([name, value]) => sweep[name] === value));
const models = () => ({ generator: state.generator, vlm: state.vlm });
const chosen = () => ({ ...models(), concept: state.concept, method: state.method });
const current = () => sweeps(chosen())[0];
const methods = () =>
  unique(sweeps({ ...models(), concept: state.concept }).map(sweep => sweep.method));
const concepts = () => data.concepts.filter(
  one => sweeps({ ...models(), concept: one.name }).length);
const conceptOf = sweep => data.concepts.find(one => one.name === sweep.concept);
const pairOf = one => `${one.source} → ${one.target}`;
const shown = sweep => sweep.runs.filter(run => run.clips);
const sentence = run => run.caption.join(run.pair[0] ?? "");
const means = (sweep, name) =>
  sweep.stops.map((_, k) => mean(sweep.runs.map(run => run[name][k])));

// The slider has stops. A clip's strength there is the stop itself, or one of its own at which its
// answer has gone that share of its way.
const spaced = sweep => sweep.runs.some(
  run => run.phi.some((phi, k) => phi !== null && phi !== sweep.stops[k]));
const strengths = sweep => means(sweep, "phi").map((phi, k) => phi ?? sweep.stops[k]);
const place = sweep =>
  spaced(sweep) ? `${percent(state.stop)} of the way` : `φ = ${state.stop}`;

function step(sweep) {
  const distance = k => Math.abs(sweep.stops[k] - state.stop);
  return sweep.stops.reduce((best, _, k) => distance(k) < distance(best) ? k : best, 0);
}

// "method:random" or "concept:day_night"; "" compares with nothing.
function comparable() {
  const same = one => sweeps({ ...models(), concept: one.name, method: state.method }).length;
  return {
    method: methods().filter(one => one !== state.method),
    concept: concepts().filter(one => one.name !== state.concept && same(one))
      .map(one => one.name),
  };
}
function compared() {
  const [kind, name] = state.compare.split(/:(.*)/s);
  return kind ? sweeps({ ...chosen(), [kind]: name })[0] : null;
}
const rowsShown = () => present([current(), compared()]);

function choose(change) {
  Object.assign(state, change);
  state.generator = pick(unique(data.sweeps.map(sweep => sweep.generator)), state.generator);
  const vlms = sweeps({ generator: state.generator }).map(sweep => sweep.vlm);
  state.vlm = pick(unique(vlms), state.vlm);
  state.concept = pick(concepts().map(one => one.name), state.concept);
  state.method = pick(methods(), state.method);
  const others = Object.entries(comparable())
    .flatMap(([kind, names]) => names.map(name => `${kind}:${name}`));
  state.compare = pick(["", ...others], state.compare);
  const sweep = current();
  state.seed = pick(shown(sweep).map(run => run.seed), state.seed);
  state.stop = sweep.stops[step(sweep)];
  draw();
}

// 3. The choices ------------------------------------------------------------------------------

function drawConcepts() {
  const kinds = unique([...Object.keys(KINDS), ...data.concepts.map(one => one.kind)]);
  const listed = kind => concepts().filter(one => one.kind === kind);
  const button = one => element("button", {
    type: "button", class: "concept", "data-concept": one.name,
    "aria-label": `${one.source} to ${one.target}`,
    onclick: () => choose({ concept: one.name }),
  }, one.source, element("i", {}, " → "), one.target);
  const group = kind => element("div", { class: "kind" },
    element("h3", {}, KINDS[kind] ?? kind), element("div", {}, ...listed(kind).map(button)));
  build($("concepts"), concepts(), () =>
    kinds.filter(kind => listed(kind).length).map(group));
  for (const one of document.querySelectorAll(".concept")) {
    const pressed = one.dataset.concept === state.concept, row = one.parentElement;
    one.setAttribute("aria-pressed", String(pressed));
    if (pressed && row.scrollWidth > row.clientWidth)
      row.scrollLeft = one.offsetLeft - row.offsetLeft - (row.clientWidth - one.offsetWidth) / 2;
  }
}

function drawMethods() {
  const radio = method => element("label", {}, element("input", {
    type: "radio", name: "method", value: method, onchange: () => choose({ method }),
  }), pretty(method));
  build($("methods"), methods(), () => methods().map(radio));
  for (const one of document.getElementsByName("method"))
    one.checked = one.value === state.method;
}

function options(select, values, value, label = pretty) {
  const option = one => element("option", { value: one }, label(one));
  build(select, [values, values.map(label)], () => values.map(option));
  select.value = value;
  select.parentElement.hidden = values.length < 2;
}

function drawComparable() {
  const { method, concept } = comparable();
  const names = Object.fromEntries(data.concepts.map(one => [one.name, pairOf(one)]));
  const group = (label, kind, values, text) => values.length ? element("optgroup", { label },
    ...values.map(one => element("option", { value: `${kind}:${one}` }, text(one)))) : null;
  build($("compare"), [method, concept], () => present([
    element("option", { value: "" }, "nothing"),
    group("another method", "method", method, pretty),
    group("another concept", "concept", concept, one => names[one]),
  ]));
  $("compare").value = state.compare;
}

function drawSlider(sweep) {
  const slider = $("stop"), now = step(sweep), { source, target } = conceptOf(sweep);
  $("from").textContent = source;
  $("to").textContent = target;
  slider.max = sweep.stops.length - 1;
  slider.value = now;
  slider.setAttribute("aria-valuetext", place(sweep));
  $("spacing").hidden = !spaced(sweep);
  const name = stop => spaced(sweep) ? percent(stop) : String(stop);
  const label = (stop, k) => k === now && sweep.stops.length < 8 ? place(sweep) : name(stop);
  $("ticks").replaceChildren(...sweep.stops.map((stop, k) => element("span", {
    class: k === now ? "now" : "", onclick: () => choose({ stop }),
  }, label(stop, k))));
}

function drawChoices(sweep) {
  drawConcepts();
  drawMethods();
  drawComparable();
  drawSlider(sweep);
  options($("generator"), unique(data.sweeps.map(one => one.generator)), state.generator);
  const vlms = sweeps({ generator: state.generator }).map(one => one.vlm);
  options($("vlm"), unique(vlms), state.vlm);
  const captions = new Map(shown(sweep).map(run => [run.seed, sentence(run)]));
  options($("seed"), [...captions.keys()], state.seed, seed => `${seed}: ${captions.get(seed)}`);
}

// 4. The videos -------------------------------------------------------------------------------
// A tile holds two video elements: the next clip is loaded and sought behind the one on show,
// then they change places.

const tiles = new Map();

function newTile(seed) {
  const video = () => element("video", {
    loop: true, playsinline: true, preload: "auto", "aria-hidden": "true", tabindex: "-1",
  });
  const tile = { seed, videos: [video(), video()], wanted: null };
  for (const one of tile.videos) one.muted = true;
  tile.trouble = element("span", { class: "trouble", hidden: true }, "no clip");
  tile.map = element("canvas", { class: "map", hidden: true, "aria-hidden": "true" });
  tile.screen = element("button", {
    type: "button", class: "screen", onclick: () => choose({ seed: tile.seed }),
  }, ...tile.videos, tile.map, tile.trouble);
  tile.prompt = element("p", { class: "prompt" });
  tile.facts = element("dl", { class: "facts" });
  tile.download = element("a", { class: "download", download: true }, "Download");
  const caption = element("figcaption", {}, tile.prompt, tile.facts, tile.download);
  tile.root = element("figure", { class: "tile", "data-seed": seed }, tile.screen, caption);
  return tile;
}

const onShow = tile => tile.videos.find(video => video.classList.contains("shown"));
const videosOnShow = () => present([...tiles.values()].map(onShow));
const leader = () => videosOnShow().find(video => video.readyState >= 2);
const settled = () => [...tiles.values()].every(
  tile => tile.wanted === null || !tile.trouble.hidden || onShow(tile)?.clip === tile.wanted);

function hide(tile) {
  for (const video of tile.videos) {
    video.classList.remove("shown");
    video.pause();
  }
}

function show(tile, url) {
  if (tile.wanted === url) return;
  tile.wanted = url;
  tile.trouble.hidden = url !== null;
  if (url === null) return hide(tile);
  const old = onShow(tile), next = tile.videos.find(video => video !== old);
  const swap = () => {
    if (tile.wanted !== url) return;
    next.clip = url;
    next.classList.toggle("small", next.videoWidth <= 160);
    tile.screen.style.aspectRatio = `${next.videoWidth} / ${next.videoHeight}`;
    next.classList.add("shown");
    old?.classList.remove("shown");
    old?.pause();
    if (state.playing) next.play().catch(() => {});
  };
  next.onseeked = swap;
  next.onloadeddata = () => {
    const time = leader()?.currentTime ?? 0;
    if (time > 0 && time < next.duration) next.currentTime = time;
    else swap();
  };
  next.onerror = () => {
    if (tile.wanted !== url) return;
    tile.trouble.hidden = false;
    hide(tile);
  };
  next.src = url;
  next.load();
}

// Clips loop by themselves; whoever strays from the first one by more than half a frame is
// called back.
function keepStep() {
  const first = leader();
  for (const video of first && state.playing ? videosOnShow() : []) {
    if (video === first || video.readyState < 2 || video.seeking) continue;
    const whole = first.duration, apart = first.currentTime - video.currentTime;
    const late = ((apart + 1.5 * whole) % whole) - whole / 2;
    if (Math.abs(late) > 0.06) video.currentTime = first.currentTime;
  }
  drawMaps();
  requestAnimationFrame(keepStep);
}

function play(playing) {
  state.playing = playing;
  const time = leader()?.currentTime ?? 0;
  for (const video of videosOnShow()) {
    if (playing) video.play().catch(() => {});
    else {
      video.pause();
      video.currentTime = time;
    }
  }
  $("play").textContent = playing ? "Pause clips" : "Play clips";
}

function prompt(run) {
  const [before, after] = run.caption, [source, target] = run.pair;
  if (after === undefined) return [before];
  const slot = element("span", { class: "slot" }, element("span", { class: "from" }, source),
    element("i", {}, " → "), element("span", { class: "to" }, target));
  return [before, slot, after];
}

// The text with both contrast words marked, as words and not as parts of words, whatever their case
// and the spaces in a phrase; the longer first, for one may hold the other.
function marked(text, sweep) {
  const { source, target } = conceptOf(sweep);
  const plain = word => word.toLowerCase().trim().split(/\s+/).join(" ");
  const literal = word =>
    plain(word).replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll(" ", "\\s+");
  const longest = [source, target].sort((one, other) => other.length - one.length);
  const word = "[\\p{L}\\p{N}_-]"; // what a word goes on with
  const either = `(?<!${word})(${longest.map(literal).join("|")})(?!${word})`;
  return text.split(new RegExp(either, "iu")).map(
    part => plain(part) === plain(target) ? element("b", { class: "to" }, part)
      : plain(part) === plain(source) ? element("b", {}, part) : part);
}

function probed(run, k) {
  const seen = run.words[k].map((word, j) => {
    const before = run.words[0][j], name = data.attributes[j];
    const changed = word && before && word !== before;
    return word && element("span", {
      class: changed ? "changed" : null, "data-attribute": name,
      title: changed ? `${name}: ${before} at φ = 0` : name,
    }, word);
  }).filter(Boolean);
  return seen.flatMap((node, j) => j < seen.length - 1 ? [node, ", "] : [node]);
}

function facts(run, sweep, k) {
  const rows = [], words = probed(run, k);
  const row = (name, ...content) => rows.push(
    element("div", { "data-fact": name }, element("dt", {}, name),
      element("dd", {}, ...content)));
  if (run.answers[k]) row("VLM says", ...marked(run.answers[k], sweep));
  if (words.length) row("Probes see", ...words);
  if (run.log_odds[k] !== null) row("Log-odds", signed(run.log_odds[k]));
  if (spaced(sweep) && run.phi[k] !== null) row("Strength", `φ = ${run.phi[k]}`);
  return rows;
}

function drawTile(tile, run, sweep) {
  const k = step(sweep), caption = sentence(run), clip = run.clips[k];
  const key = [sweep.concept, ...run.caption, ...run.pair];
  build(tile.prompt, key, () => prompt(run));
  tile.facts.replaceChildren(...facts(run, sweep, k));
  tile.root.classList.toggle("chosen", run.seed === state.seed);
  tile.screen.setAttribute("aria-label", `Seed ${run.seed}: ${caption}. Choose this seed.`);
  tile.screen.setAttribute("aria-pressed", String(run.seed === state.seed));
  tile.download.hidden = clip === null;
  tile.download.href = clip ?? "";
  tile.download.setAttribute("aria-label", `Download clip of seed ${run.seed}, ${place(sweep)}`);
  layMap(tile, run, sweep, k);
  show(tile, clip);
}

function rowTitle(sweep) {
  const note = METHODS[sweep.method];
  return [`${pairOf(conceptOf(sweep))}, ${pretty(sweep.method)}`,
    note ? element("small", {}, note) : null, mapScale(sweep)];
}

function drawVideos() {
  const rows = rowsShown(), section = $("videos"), wanted = new Set();
  section.classList.toggle("comparing", rows.length > 1);
  build(section, rows.length, () => rows.flatMap((_, j) => [
    element("h2", { id: `row-${j}` }), element("div", { class: "tiles", id: `tiles-${j}` })]));
  rows.forEach((sweep, j) => {
    const runs = shown(sweep), grid = $(`tiles-${j}`);
    $(`row-${j}`).replaceChildren(...present(rowTitle(sweep)));
    grid.style.setProperty("--columns", Math.min(4, runs.length));
    for (const run of runs) {
      const name = `${j}:${run.seed}`;
      wanted.add(name);
      if (!tiles.has(name)) tiles.set(name, newTile(run.seed));
      const tile = tiles.get(name);
      if (tile.root.parentElement !== grid) grid.append(tile.root);
      drawTile(tile, run, sweep);
    }
  });
  for (const [name, tile] of tiles) {
    if (wanted.has(name)) continue;
    hide(tile);
    tile.root.remove();
    tiles.delete(name);
  }
}

// 5. The numbers ------------------------------------------------------------------------------

function drawNumbers() {
  const rows = rowsShown(), seeds = rows[0].runs.length;
  const twoConcepts = unique(rows.map(sweep => sweep.concept)).length > 1;
  const title = sweep => twoConcepts ? pairOf(conceptOf(sweep)) : pretty(sweep.method);
  const word = twoConcepts ? "the target word" : `“${conceptOf(rows[0]).target}”`;
  const at = (sweep, name) => means(sweep, name)[step(sweep)];
  const answered = sweep => {
    const odds = present(sweep.runs.map(run => run.log_odds[step(sweep)]));
    return odds.length ? `${odds.filter(one => one > 0).length} of ${odds.length}` : NONE;
  };
  const lines = [
    ["log_odds", `Log-odds of ${word}`, sweep => signed(at(sweep, "log_odds"))],
    ["answered", `VLM answers ${word}`, answered],
    ["p_target", `Probes see ${word}`, sweep => percent(at(sweep, "p_target"))],
    ["kept", "Other attributes kept", sweep => percent(at(sweep, "kept"))],
  ];
  const cells = (name, value) => rows.map(
    (sweep, j) => element("td", { "data-number": `${name}-${j}` }, value(sweep)));
  $("numbers").replaceChildren(
    element("thead", {}, element("tr", {},
      element("th", { scope: "col" }, `Mean of ${seeds} seeds, ${place(rows[0])}`),
      ...rows.map(sweep => element("th", { scope: "col" }, title(sweep))))),
    element("tbody", {}, ...lines.map(([name, label, value]) => element("tr", {},
      element("th", { scope: "row" }, label), ...cells(name, value)))));
}

// 6. The curves -------------------------------------------------------------------------------

const share = stop => Math.min(1, Math.max(0, stop));
const mixed = part =>
  `color-mix(in oklab, var(--target) ${(100 * part).toFixed(1)}%, var(--source))`;
const ramp = stop => mixed(share(stop));

function ticks(low, high, count) {
  const raw = (high - low) / count, unit = 10 ** Math.floor(Math.log10(raw));
  const size = [1, 2, 5, 10].map(one => one * unit).find(one => one >= raw);
  const list = [];
  for (let value = Math.ceil(low / size) * size; value <= high + 1e-9; value += size)
    list.push(Math.abs(value) < 1e-9 ? 0 : value);
  return list;
}

// The strengths whose labels have room: the last one, and what touches neither it nor the one
// before.
function apart(phis, x) {
  const label = 30, last = x(phis.at(-1));
  let free = -Infinity;
  return phis.filter(phi => {
    const room = x(phi) >= free && x(phi) <= last - label;
    if (room) free = x(phi) + label;
    return room || x(phi) === last;
  });
}

// One set of axes: `x` and `y` map data to pixels; whatever is drawn goes into `svg`.
function axes(svg, sweep, low, high, format) {
  const phis = strengths(sweep);
  const width = svg.clientWidth || 372, height = svg.clientHeight || 200;
  const box = { left: 40, right: width - 6, top: 8, bottom: height - 34 };
  const first = phis[0], final = phis[phis.length - 1];
  const last = final === first ? first + 1 : final;
  const inner = box.right - box.left - 16;
  const x = phi => box.left + 8 + (phi - first) / (last - first) * inner;
  const y = value => box.bottom - (value - low) / (high - low) * (box.bottom - box.top);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(gradient(svg.id + "-ramp", x(first), x(last)));
  const line = (className, x1, x2, y1, y2) =>
    svg.append(drawn("line", { class: className, x1, x2, y1, y2 }));
  const text = (value, x, y, anchor) =>
    svg.append(drawn("text", { x, y, "text-anchor": anchor }, value));
  for (const value of ticks(low, high, 5)) {
    line(value === 0 && low < -0.5 ? "zero" : "grid", box.left, box.right, y(value), y(value));
    text(format(value), box.left - 8, y(value) + 4, "end");
  }
  for (const phi of apart(phis, x)) text(short(phi), x(phi), box.bottom + 17, "middle");
  text("strength φ", box.right, box.bottom + 32, "end");
  const now = x(phis[step(sweep)]);
  line("now", now, now, box.top, box.bottom);
  follow(svg, sweep, x);
  return { svg, box, x, y, ramp: `url(#${svg.id}-ramp)` };
}

// In user units: a flat line has no bounding box for a gradient to refer to.
function gradient(id, x1, x2) {
  const units = { gradientUnits: "userSpaceOnUse", x1, x2, y1: 0, y2: 0 };
  const node = drawn("linearGradient", { id, ...units });
  for (const offset of [0, 0.25, 0.5, 0.75, 1])
    node.append(drawn("stop", { offset, style: `stop-color: ${mixed(offset)}` }));
  return node;
}

// Pressing or dragging on the plot moves the slider.
function follow(svg, sweep, x) {
  const phis = strengths(sweep);
  const seek = event => {
    const at = event.clientX - svg.getBoundingClientRect().left;
    const distance = k => Math.abs(x(phis[k]) - at);
    const nearest = phis.reduce((best, _, k) => distance(k) < distance(best) ? k : best, 0);
    if (nearest !== step(sweep)) choose({ stop: sweep.stops[nearest] });
  };
  svg.onpointerdown = event => {
    seek(event);
    svg.setPointerCapture(event.pointerId);
    svg.onpointermove = seek;
  };
  svg.onpointerup = svg.onpointercancel = () => { svg.onpointermove = null; };
}

function line(plot, phis, values, attributes) {
  const point = (phi, value) => `${plot.x(phi).toFixed(1)},${plot.y(value).toFixed(1)}`;
  const points = phis.map((phi, k) => values[k] === null ? null : point(phi, values[k]));
  plot.svg.append(drawn("polyline", { points: present(points).join(" "), ...attributes }));
}

function dots(plot, sweep, values, fill) {
  strengths(sweep).forEach((phi, k) => {
    if (values[k] === null) return;
    const dot = drawn("circle", {
      cx: plot.x(phi), cy: plot.y(values[k]), r: k === step(sweep) ? 6 : 4,
      style: `fill: ${fill(sweep.stops[k])}`,
    });
    dot.append(drawn("title", {}, `φ = ${short(phi)}: ${values[k].toFixed(2)}`));
    plot.svg.append(dot);
  });
}

function curves(plot, sweep, name, className) {
  const kept = className === "kept", stroke = kept ? "var(--kept)" : plot.ramp;
  for (const run of sweep.runs) {
    const seed = { "data-seed": run.seed, "data-curve": name };
    const picked = run.seed === state.seed ? " chosen" : "";
    line(plot, run.phi, run[name], { class: "seed" + picked, stroke, ...seed });
  }
  line(plot, strengths(sweep), means(sweep, name), { class: "mean", stroke, "data-curve": name });
  dots(plot, sweep, means(sweep, name), kept ? () => stroke : ramp);
}

const dashed = j => "other " + "abc"[j % 3];

function drawAnswer(sweep) {
  const others = sweeps({ ...models(), concept: state.concept }).filter(one => one !== sweep);
  const { source, target, question } = conceptOf(sweep);
  const all = present([sweep, ...others].flatMap(one => one.runs.flatMap(run => run.log_odds))
    .concat(0));
  const low = Math.min(...all), high = Math.max(...all), room = Math.max(1, high - low) * 0.08;
  const whole = value => signed(value).replace(".0", "").replace(/^\+0$/, "0");
  const plot = axes($("answer"), sweep, low - room, high + room, whole);
  others.forEach((other, j) => line(plot, strengths(other), means(other, "log_odds"),
    { class: dashed(j), "data-method": other.method }));
  curves(plot, sweep, "log_odds");
  const word = (text, colour, attributes) => plot.svg.append(
    drawn("text", { class: "word", style: `fill: var(--${colour})`, ...attributes }, text));
  word(`${target} ↑`, "target", { x: plot.box.left + 16, y: plot.box.top + 12 });
  word(`${source} ↓`, "source",
    { x: plot.box.right - 12, y: plot.box.bottom - 8, "text-anchor": "end" });
  plot.svg.setAttribute("aria-label", `Log-odds of ${target} against ${source} over phi;`
    + ` mean ${means(sweep, "log_odds").map(signed).join(", ")}`);
  $("answer-title").textContent = `The VLM’s answer to “${question}”`;
  key("answer-key", [
    ["mean", plot.ramp, "mean of seeds"],
    ["seed chosen", plot.ramp, `seed ${state.seed}`],
    ...others.map((other, j) => [dashed(j), null, `mean, ${pretty(other.method)}`])]);
}

function drawProbe(sweep) {
  const target = means(sweep, "p_target"), kept = means(sweep, "kept");
  const seen = present(target).length > 0, compares = present(kept).length > 0;
  $("probe-figure").hidden = !seen && !compares;
  if ($("probe-figure").hidden) return $("probe").replaceChildren();
  const plot = axes($("probe"), sweep, -0.04, 1.04, percent);
  if (compares) curves(plot, sweep, "kept", "kept");
  if (seen) curves(plot, sweep, "p_target");
  plot.svg.setAttribute("aria-label", `Probes over phi;`
    + ` target word ${target.map(percent).join(", ")};`
    + ` others kept ${kept.map(percent).join(", ")}`);
  key("probe-key", [
    seen ? ["mean", plot.ramp, `probability of “${conceptOf(sweep).target}”`] : null,
    compares ? ["mean", "var(--kept)", "other attributes kept"] : null]);
}

function key(id, entries) {
  const entry = ([className, stroke, text]) => {
    const svg = drawn("svg", { class: "plot", viewBox: "0 0 26 10", "aria-hidden": "true" });
    const sample = drawn("polyline", { class: className, points: "0,5 26,5" });
    if (stroke) sample.style.stroke = stroke.startsWith("url") ? ramp(state.stop) : stroke;
    svg.append(sample);
    return element("span", {}, svg, text);
  };
  $(id).replaceChildren(...present(entries).map(entry));
}

// 7. What an answer is worth, and where all this comes from ------------------------------------

function drawWarning() {
  const words = rowsShown().map(conceptOf).flatMap(one => [one.source, one.target]);
  const blind = data.timeless.filter(one => one.vlm === state.vlm && words.includes(one.word));
  const named = unique(blind.map(one => one.word)).join(" or ");
  $("timeless").hidden = !blind.length;
  $("timeless").textContent = `${pretty(state.vlm)} needs no time to say ${named}: its answer`
    + " stays the same when the frames of a clip are shuffled, and when it sees one frame alone."
    + " These videos cannot show a motion that it goes by.";
}

function drawFailure() {
  const one = data.failed.find(fit => ["generator", "vlm", "concept"]
    .every(key => fit[key] === state[key]));
  $("failed").hidden = !one;
  $("failed").textContent = one ? `This concept was not fitted (${one.why}): its clips do not show`
    + " what the VLM goes by." : "";
}

// Clips of the user's that could not be read: none of the results have seen them.
function listLeftOut() {
  const { clips, of } = data.left_out, list = $("left-out");
  list.hidden = !clips.length;
  list.querySelector("summary").textContent =
    `${clips.length} of ${of} clips were left out because they could not be read.`;
  list.querySelector("ul").replaceChildren(
    ...clips.map(([clip, reason]) => element("li", {}, `${clip}: ${reason}`)));
}

function drawOrigin() {
  const { date, version, commit, licence } = data.origin;
  // beside the project the guide is a link; a copy of the page elsewhere only names it
  const here = location.pathname.endsWith("/results/gallery/index.html");
  const guide = "docs/method.md";
  const code = [version && `Transporter ${version}`, commit && `commit ${commit}`];
  const parts = [
    `Generator ${pretty(state.generator)}, VLM ${pretty(state.vlm)}`,
    date && `results of ${date}`,
    code.filter(Boolean).join(", "),
    licence,
    element("span", {}, "how it works: ",
      here ? element("a", { href: `../../${guide}` }, guide) : guide),
  ];
  $("origin").replaceChildren(...parts.filter(Boolean).map(part => element("span", {}, part)));
}

// 8. The table of all concepts ----------------------------------------------------------------

const COLUMNS = [["spearman", "ρ", fixed], ["hit_rate", "hits", percent],
  ["others_kept", "kept", percent]];

function summaryCells(row, method) {
  const moot = row?.hit_rate === 0;
  return COLUMNS.map(([column, , format], k) => element("td", {
    class: (k === 0 ? "first" : "") + (moot && column === "spearman" ? " moot" : ""),
    "data-column": `${method} ${column}`,
  }, format(row?.[column])));
}

function drawSummary() {
  const rows = data.summary.filter(
    row => row.generator === state.generator && row.vlm === state.vlm);
  const columns = unique(rows.map(row => row.method));
  const found = (one, method) =>
    rows.find(row => row.concept === one.name && row.method === method);
  const open = one => {
    choose({ concept: one.name });
    $("concepts").scrollIntoView({ block: "start", behavior: still ? "auto" : "smooth" });
    $("videos").focus({ preventScroll: true }); // and not the slider: keys scroll on
  };
  const line = one => element("tr", { "data-concept": one.name, onclick: () => open(one) },
    element("th", { scope: "row" }, element("button", {
      type: "button", "aria-label": `Show ${one.source} to ${one.target}`,
    }, pairOf(one))),
    ...columns.flatMap(method => summaryCells(found(one, method), method)));
  const listed = data.concepts.filter(one => rows.some(row => row.concept === one.name));
  const kinds = unique(listed.map(one => one.kind));
  const head = () => element("thead", {},
    element("tr", {}, element("td"), ...columns.map(method =>
      element("th", { colspan: COLUMNS.length, scope: "colgroup" }, pretty(method)))),
    element("tr", {}, element("th", { scope: "col" }, element("span", { class: "sr" }, "concept")),
      ...columns.flatMap(() => COLUMNS.map(([, label], k) =>
        element("th", { scope: "col", class: k === 0 ? "first" : null }, label)))));
  $("all").hidden = !listed.length;
  build($("summary"), models(), () => [head(), ...kinds.map(kind =>
    element("tbody", {}, ...listed.filter(one => one.kind === kind).map(line)))]);
  for (const row of $("summary").querySelectorAll("tbody tr"))
    row.classList.toggle("current", row.dataset.concept === state.concept);
}

// 9. Everything, and the address --------------------------------------------------------------

function draw() {
  const sweep = current(), { source, target } = conceptOf(sweep);
  document.documentElement.style.setProperty("--share", share(state.stop));
  drawChoices(sweep);
  drawMapChoice();
  drawOrigin();
  drawWarning();
  drawFailure();
  drawVideos();
  drawNumbers();
  drawProbe(sweep); // first: whether it is there decides how wide the other plot is
  drawAnswer(sweep);
  drawInside(sweep);
  drawSummary();
  const odds = means(sweep, "log_odds")[step(sweep)];
  $("spoken").textContent = `${source} to ${target}, ${place(sweep)}`
    + (odds === null ? "" : `, mean log-odds ${odds.toFixed(1)}`);
  history.replaceState(null, "", "#" + address());
}

const ADDRESS = ["generator", "vlm", "concept", "method", "compare", "seed", "stop", "map"];
const address = () =>
  new URLSearchParams(ADDRESS.filter(name => state[name] !== "").map(name => [name, state[name]]));

function addressed() {
  const given = new URLSearchParams(location.hash.slice(1)), choice = { compare: "", map: "" };
  for (const name of ADDRESS.filter(name => given.has(name))) {
    const value = given.get(name), numeric = name === "seed" || name === "stop";
    choice[name] = numeric ? Number(value) || 0 : value;
  }
  return choice;
}

// 10. Playing phi -----------------------------------------------------------------------------
// From its first value to its last, once, in about four seconds; each step waits for its clips.

const LONGEST_STEP = 800, WHOLE_TURN = 3600, PATIENCE = 1500;

function turn(turning) {
  clearTimeout(state.timer);
  state.turning = turning;
  $("turn").textContent = turning ? "Stop φ" : "Play φ";
  if (!turning) return;
  choose({ stop: current().stops[0] });
  const pause = Math.min(LONGEST_STEP, WHOLE_TURN / current().stops.length);
  const advance = since => {
    if (!settled() && performance.now() - since < PATIENCE)
      return state.timer = setTimeout(advance, 50, since);
    state.timer = setTimeout(() => {
      const { stops } = current(), next = neighbour(stops, state.stop, 1);
      choose({ stop: next });
      if (next === stops.at(-1)) turn(false);
      else advance(performance.now());
    }, pause);
  };
  advance(performance.now());
}

// Whoever takes hold of the page stops it.
function takeHold(event) {
  const own = event.target.closest?.("#turn") || event.key === "p";
  if (state.turning && !own) turn(false);
}

// 11. Hands and keys --------------------------------------------------------------------------
// Up, down and space scroll the page, as everywhere.

const ACTIONS = {
  ArrowLeft: () => choose({ stop: neighbour(current().stops, state.stop, -1) }),
  ArrowRight: () => choose({ stop: neighbour(current().stops, state.stop, 1) }),
  c: () => choose({ concept: neighbour(concepts().map(one => one.name), state.concept, 1) }),
  C: () => choose({ concept: neighbour(concepts().map(one => one.name), state.concept, -1) }),
  s: () => choose({ seed: turned(shown(current()).map(run => run.seed), state.seed) }),
  m: () => choose({ method: turned(methods(), state.method) }),
  w: () => choose({ map: state.map ? "" : "on" }),
  p: () => turn(!state.turning),
  k: () => play(!state.playing),
};

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) return;
  const arrow = event.key.startsWith("Arrow");
  if (arrow && event.target.matches("input[type=radio], .scroll, .scroll *")) return;
  const action = ACTIONS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function listen() {
  for (const kind of ["pointerdown", "keydown"])
    document.addEventListener(kind, takeHold, { capture: true });
  document.addEventListener("keydown", pressed);
  window.addEventListener("hashchange", () => choose(addressed()));
  $("stop").addEventListener("input",
    event => choose({ stop: current().stops[Number(event.target.value)] }));
  for (const name of ["generator", "vlm", "compare"])
    $(name).addEventListener("change", event => choose({ [name]: event.target.value }));
  $("seed").addEventListener("change", event => choose({ seed: Number(event.target.value) }));
  $("map").addEventListener("change", event => choose({ map: event.target.checked ? "on" : "" }));
  $("play").addEventListener("click", () => play(!state.playing));
  $("turn").addEventListener("click", () => turn(!state.turning));
  // After a click on a method the arrow keys are the slider's again; someone who came by
  // keyboard keeps them for the methods.
  $("methods").addEventListener("pointerup",
    () => setTimeout(() => document.activeElement?.blur()));
  let resized;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(resized);
    resized = requestAnimationFrame(draw);
  });
}

// 12. The opening -----------------------------------------------------------------------------

const opening = addressed();
listen();
listLeftOut();
play(state.playing);
choose({ stop: data.sweeps[0].stops[0], ...opening });
if (!still && !("stop" in opening)) turn(true);
keepStep();
