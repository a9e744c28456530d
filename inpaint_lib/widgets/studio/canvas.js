// The part of the completion studio that lives in the page, in three sections: a file of the
// reader's and what the other two share, painting the hole, comparing before and after.

// ---------------------------------------------------------------------------------------------
// 1. A file from the reader's computer; elements, pictures and shapes
// ---------------------------------------------------------------------------------------------

const HOLE = "#E69F00"; // orange of Okabe & Ito (2008)

function addElement(parent, tag, { text = "", ...attributes } = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  parent.append(made);
  return made;
}

function addButton(parent, text, title, onClick) {
  const made = addElement(parent, "button", { text, title, type: "button" });
  made.addEventListener("click", onClick);
  return made;
}

/** @param {{ model: import("@anywidget/types").AnyModel, el: HTMLElement }} context */
function renderUpload({ model, el }) {
  const input = addElement(el, "input", { type: "file", accept: "image/*", hidden: "" });
  input.setAttribute("aria-label", "Photograph to upload");
  input.addEventListener("change", async () => {
    await sendPhotograph(model, input.files[0]);
    input.value = ""; // so that choosing the same file again is a change
  });
  const title = "Choose a picture file of your computer; you can also drop it on the photograph";
  addButton(el, "Upload a photograph…", title, () => input.click()).classList.add("main");
}

// A photograph from the reader's computer, to Python.
async function sendPhotograph(model, file) {
  if (!file) return;
  const problem = (words) => model.send({ name: file.name, problem: words });
  // A larger message makes the notebook server close the connection to the kernel.
  if (file.size > model.get("limit")) {
    const size = (file.size / 1e6).toFixed(1);
    problem(`is ${size} MB; notebook servers accept about 10 MB: give its path instead`);
    return;
  }
  try {
    model.send({ name: file.name }, undefined, [await file.arrayBuffer()]);
  } catch (error) {
    problem(`could not be read by the browser (${error.message})`); // a folder, a lost disk
  }
}

// A column with its numbered heading, a row of tools and a stage of the photograph's shape.
function addColumn(parent, number, words) {
  const column = addElement(parent, "div", { class: "studio-column" });
  const heading = addElement(column, "div", { class: "studio-step" });
  addElement(heading, "b", { text: number });
  heading.append(words);
  const tools = addElement(column, "div", { class: "studio-row" });
  const stage = addElement(column, "div", { class: "studio-stage" });
  return { column, tools, stage };
}

// Give a stage and the canvases on it the shape of the photograph.
function shapeStage(model, stage, ...surfaces) {
  const [width, height] = model.get("size");
  stage.style.aspectRatio = `${width} / ${height}`;
  stage.style.maxWidth = `${(360 * width) / height}px`; // a tall one shall not fill the page
  for (const surface of surfaces) {
    surface.width = 1280;
    surface.height = Math.round((1280 * height) / width);
  }
}

// Show the model's bytes of that name; no bytes, no picture.
function showBytes(image, model, name) {
  URL.revokeObjectURL(image.src);
  const bytes = model.get(name);
  image.hidden = bytes.byteLength === 0;
  if (!image.hidden) image.src = URL.createObjectURL(new Blob([bytes]));
}

// Draw on an empty surface, in pixels of the photograph: `action(ctx, a pixel of the surface)`.
function redraw(surface, model, action) {
  const ctx = surface.getContext("2d");
  const scale = surface.width / model.get("size")[0];
  ctx.clearRect(0, 0, surface.width, surface.height);
  ctx.save();
  ctx.scale(scale, scale);
  action(ctx, 1 / scale);
  ctx.restore();
}

// Fill shapes, given in pixels of the photograph, each grown by `grow` of them.
function fillShapes(ctx, shapes, grow) {
  ctx.lineCap = ctx.lineJoin = "round";
  for (const { box, points, width } of shapes) {
    if (box) {
      ctx.fillRect(box[0] - grow, box[1] - grow, box[2] + 2 * grow, box[3] + 2 * grow);
    } else {
      ctx.lineWidth = width + 2 * grow;
      ctx.beginPath();
      ctx.moveTo(...points[0]);
      for (const point of points) ctx.lineTo(...point); // a line to itself is a dot
      ctx.stroke();
    }
  }
}

// The outline of all shapes together, black and orange: seen on any photograph.
function outlineShapes(ctx, shapes, pixel) {
  for (const [colour, grow] of [["black", 6], [HOLE, 4]]) {
    ctx.fillStyle = ctx.strokeStyle = colour;
    fillShapes(ctx, shapes, grow * pixel);
  }
  ctx.globalCompositeOperation = "destination-out";
  fillShapes(ctx, shapes, 0);
  ctx.globalCompositeOperation = "source-over";
}

// ---------------------------------------------------------------------------------------------
// 2. Painting the hole
// ---------------------------------------------------------------------------------------------

const KEYS =
  "Arrow keys move the cross, with Shift by one pixel. Enter or Space marks: a dot with the " +
  "brush, first one corner and then the other of a box. Escape gives up a box, Control+Z undoes.";

// The shapes since the hole was last cleared.
function painted(shapes) {
  return shapes.slice(1 + shapes.findLastIndex((shape) => shape.clear));
}

// What the hand does, in pixels of the photograph. Python hears of a shape when it is finished.
// Whatever outlasts a stroke is in the model: a notebook may show the studio twice.
class Hand {
  cross = null; // [x, y]: where the next mark will be
  draft = null; // the shape under way
  #anchor = null; // where it began
  #model;

  constructor(model) {
    this.#model = model;
  }

  get tool() {
    return this.#model.get("tool");
  }

  get width() {
    return this.#model.get("width");
  }

  // All there is to see: what is kept, and what is under way.
  get shapes() {
    const kept = painted(this.#model.get("shapes"));
    return this.draft ? [...kept, this.draft] : kept;
  }

  get canUndo() {
    return this.#model.get("shapes").length > 0;
  }

  begin(at) {
    this.#anchor = at;
    this.draft = this.tool === "box" ? { box: [...at, 0, 0] } : { points: [at], width: this.width };
    this.draft.number = this.#model.get("number"); // another photograph may be on its way
  }

  extend(at) {
    if (!this.draft) return; // given up while the button of the mouse was held
    if (this.tool === "box") {
      const [left, top] = at.map((v, i) => Math.round(Math.min(v, this.#anchor[i])));
      const [right, bottom] = at.map((v, i) => Math.round(Math.max(v, this.#anchor[i])));
      this.draft.box = [left, top, right - left, bottom - top];
    } else {
      const { points, width } = this.draft;
      const last = points.at(-1); // points closer than this cannot be told apart
      if (Math.hypot(at[0] - last[0], at[1] - last[1]) > width / 8) points.push(at);
    }
  }

  finish() {
    const made = this.draft;
    this.giveUp();
    if (made?.points || made?.box[2] * made?.box[3] > 0) {
      this.#add(made);
    }
  }

  giveUp() {
    this.draft = null;
    this.#anchor = null;
  }

  undo() {
    this.#send(this.#model.get("shapes").slice(0, -1));
  }

  clear() {
    this.#add({ clear: true, number: this.#model.get("number") });
  }

  #add(shape) {
    this.#send([...this.#model.get("shapes"), shape]);
  }

  // While the kernel is busy the page keeps only the last shapes: nothing queues up.
  #send(shapes) {
    this.#model.set("shapes", shapes);
    this.#model.save_changes();
  }
}

// The shapes in one layer of one colour, so that those that overlap look like one hole; above it
// their outline and the cross.
function drawHole(tint, surface, model, hand) {
  redraw(tint, model, (ctx) => {
    ctx.fillStyle = ctx.strokeStyle = HOLE;
    fillShapes(ctx, hand.shapes, 0);
  });
  redraw(surface, model, (ctx, pixel) => {
    outlineShapes(ctx, hand.shapes, pixel);
    if (hand.cross) drawCross(ctx, hand, pixel);
  });
}

// Where the next mark will be: a cross, and with the brush its ring.
function drawCross(ctx, { cross: [x, y], tool, width }, pixel) {
  for (const [colour, line] of [["black", 5], ["white", 2.5]]) {
    ctx.strokeStyle = colour;
    ctx.lineWidth = line * pixel;
    ctx.beginPath();
    if (tool === "brush") ctx.arc(x, y, width / 2, 0, 2 * Math.PI);
    for (const [dx, dy] of [[14 * pixel, 0], [0, 14 * pixel]]) {
      ctx.moveTo(x - dx, y - dy);
      ctx.lineTo(x + dx, y + dy);
    }
    ctx.stroke();
  }
}

function followPointer(surface, model, hand, draw) {
  let pointer = null; // the one that paints: a second finger paints nothing
  function place(event) {
    const seen = surface.getBoundingClientRect();
    const [width, height] = model.get("size");
    const x = ((event.clientX - seen.left) / seen.width) * width;
    const y = ((event.clientY - seen.top) / seen.height) * height;
    // A box ends at the photograph's edge, however far the pointer goes.
    return [Math.max(0, Math.min(width, x)), Math.max(0, Math.min(height, y))].map(
      (v) => Math.round(v * 10) / 10,
    );
  }
  surface.addEventListener("pointerdown", (event) => {
    if (event.button || pointer !== null) return;
    pointer = event.pointerId;
    surface.setPointerCapture(pointer);
    hand.cross = place(event);
    hand.begin(hand.cross);
    draw();
  });
  surface.addEventListener("pointermove", (event) => {
    if (pointer !== null && event.pointerId !== pointer) return;
    hand.cross = place(event);
    if (pointer !== null) hand.extend(hand.cross);
    draw();
  });
  surface.addEventListener("pointerup", (event) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    hand.finish();
    draw();
  });
  surface.addEventListener("pointercancel", () => {
    pointer = null;
    hand.giveUp();
    draw();
  });
  surface.addEventListener("pointerleave", () => {
    if (pointer === null && !hand.draft) hand.cross = null;
    draw();
  });
}

const ARROWS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

function followKeys(surface, model, hand, draw) {
  surface.addEventListener("keydown", (event) => {
    const size = model.get("size");
    const arrow = ARROWS[event.key];
    hand.cross ??= size.map((side) => Math.round(side / 2));
    if (arrow) {
      const step = event.shiftKey ? 1 : Math.max(1, Math.round(hand.width / 2));
      hand.cross = hand.cross.map((v, i) => Math.max(0, Math.min(size[i], v + step * arrow[i])));
      hand.extend(hand.cross);
    } else if (event.key === "Enter" || event.key === " ") {
      if (hand.draft) {
        hand.finish();
      } else {
        hand.begin(hand.cross);
        if (hand.tool === "brush") hand.finish();
      }
    } else if (event.key === "Escape" && hand.draft) {
      hand.giveUp();
    } else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) {
      if (hand.canUndo) hand.undo();
    } else return;
    event.preventDefault();
    draw();
  });
}

function acceptDrops(stage, model) {
  for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
    stage.addEventListener(type, (event) => {
      event.preventDefault(); // else the browser leaves the notebook and shows the file
      event.stopPropagation();
      stage.classList.toggle("over", type === "dragenter" || type === "dragover");
      if (type === "drop") sendPhotograph(model, event.dataTransfer.files[0]);
    });
  }
}

/** @param {{ model: import("@anywidget/types").AnyModel, el: HTMLElement }} context */
function renderPainting({ model, el }) {
  const { tools, stage } = addColumn(el, 2, "Paint over what should disappear");
  const photo = addElement(stage, "img", { alt: "" });
  const tint = addElement(stage, "canvas", { class: "studio-tint", "aria-hidden": "true" });
  const surface = addElement(stage, "canvas", { tabindex: 0, role: "application" });

  const hand = new Hand(model);
  const brush = addButton(tools, "Brush", "Paint with a round brush", () => choose("brush"));
  const box = addButton(tools, "Box", "Drag from corner to corner", () => choose("box"));
  const label = addElement(tools, "label", { class: "studio-size", text: "size" });
  const size = addElement(label, "input", { type: "range", min: 2, "aria-label": "Brush size" });
  const pixels = addElement(tools, "span", { class: "studio-pixels" });
  const undo = addButton(tools, "Undo", "Take back the last change (Ctrl+Z)", () => hand.undo());
  const clear = addButton(tools, "Clear", "Remove the whole hole", () => hand.clear());

  function draw() {
    drawHole(tint, surface, model, hand);
    pixels.textContent = `${hand.width} px`;
    undo.disabled = !hand.canUndo;
    clear.disabled = !hand.shapes.length;
  }
  function choose(tool) {
    model.set("tool", tool);
  }
  function showTool() {
    hand.giveUp();
    brush.setAttribute("aria-pressed", hand.tool === "brush");
    box.setAttribute("aria-pressed", hand.tool === "box");
    size.disabled = hand.tool === "box";
    draw();
  }
  function showWidth() {
    size.value = hand.width;
    draw();
  }
  function showPhotograph() {
    const [width, height] = model.get("size");
    shapeStage(model, stage, tint, surface);
    showBytes(photo, model, "photo");
    surface.setAttribute("aria-label", `Photograph of ${width} by ${height} pixels. ${KEYS}`);
    size.max = Math.max(8, Math.round(Math.min(width, height) / 4));
    showWidth();
  }
  function startAnew() {
    hand.giveUp(); // what is under way was meant for the photograph before
    model.set("width", Math.max(4, Math.round(Math.min(...model.get("size")) / 16)));
    showPhotograph();
  }

  showTool();
  if (hand.width) showPhotograph(); // as another view shows it
  else startAnew();
  size.addEventListener("input", () => model.set("width", +size.value));
  followPointer(surface, model, hand, draw);
  followKeys(surface, model, hand, draw);
  acceptDrops(stage, model);
  model.on("change:photo", startAnew);
  model.on("change:shapes", draw);
  model.on("change:tool", showTool);
  model.on("change:width", showWidth);
  return () => URL.revokeObjectURL(photo.src);
}

// ---------------------------------------------------------------------------------------------
// 3. Comparing before and after: the page does it alone, so the slider never waits for the kernel
// ---------------------------------------------------------------------------------------------

/** @param {{ model: import("@anywidget/types").AnyModel, el: HTMLElement }} context */
function renderComparing({ model, el }) {
  const { column, tools, stage } = addColumn(el, 3, "Compare before and after");
  addElement(tools, "span", { text: "drag to uncover the original" });
  const slider = addElement(tools, "input", {
    type: "range", min: 0, max: 100, value: 0, "aria-label": "Before and after",
  });
  const before = addElement(stage, "img", { alt: "The photograph as it was" });
  const after = addElement(stage, "img", { alt: "The photograph, completed by the network" });
  const surface = addElement(stage, "canvas", { "aria-hidden": "true" });
  const divider = addElement(stage, "div", { class: "studio-divider" });
  const left = addElement(stage, "span", { class: "studio-chip studio-before", text: "before" });
  const right = addElement(stage, "span", { class: "studio-chip studio-after", text: "after" });
  const note = addElement(stage, "span", { class: "studio-chip studio-note" });
  // Not from the start: it would lie on the very seams that are to be judged.
  const label = addElement(addElement(column, "div", { class: "studio-row" }), "label");
  const outlined = addElement(label, "input", { type: "checkbox" });
  label.append("show the outline of the hole");

  function slide() {
    const there = !after.hidden;
    const share = there ? model.get("share") : 100;
    slider.value = model.get("share");
    after.style.clipPath = `inset(0 0 0 ${share}%)`;
    divider.style.left = `${share}%`;
    divider.hidden = slider.disabled = !there;
    left.hidden = !there || share < 20;
    right.hidden = !there || share > 80;
    slider.setAttribute("aria-valuetext", `left ${share} % before, the rest after`);
    note.hidden = there && !model.get("busy");
    note.textContent = model.get("busy") ? "Completing…" : model.get("note");
  }
  function drawOutline() {
    outlined.checked = model.get("outlined");
    const shapes = outlined.checked ? painted(model.get("shapes")) : [];
    redraw(surface, model, (ctx, pixel) => outlineShapes(ctx, shapes, pixel));
  }
  function showPhotograph() {
    shapeStage(model, stage, surface);
    showBytes(before, model, "photo");
    slide();
  }
  function showCompleted() {
    showBytes(after, model, "completed");
    drawOutline();
    slide();
  }
  function startAnew() {
    model.set("share", 0); // first of all the reader wants to see what the network made
    showCompleted();
  }

  showPhotograph();
  showCompleted();
  outlined.addEventListener("change", () => model.set("outlined", outlined.checked));
  slider.addEventListener("input", () => model.set("share", +slider.value));
  stage.addEventListener("pointermove", (event) => {
    if (!(event.buttons & 1) || slider.disabled) return;
    const seen = stage.getBoundingClientRect();
    slider.value = (100 * (event.clientX - seen.left)) / seen.width; // which keeps it in its range
    model.set("share", +slider.value);
  });
  stage.addEventListener("dragstart", (event) => event.preventDefault());
  model.on("change:photo", showPhotograph);
  model.on("change:completed", startAnew);
  model.on("change:share", slide);
  model.on("change:outlined", drawOutline);
  model.on("change:busy", slide);
  model.on("change:note", slide);
  return () => [before, after].forEach((image) => URL.revokeObjectURL(image.src));
}

// ---------------------------------------------------------------------------------------------

export default {
  /** @param {{ model: import("@anywidget/types").AnyModel, el: HTMLElement }} context */
  render({ model, el }) {
    el.classList.add("studio");
    // Arrows and Enter are ours; the notebook would go to another cell.
    el.addEventListener("keydown", (event) => event.stopPropagation());
    if (model.get("part") === "upload") return renderUpload({ model, el });
    const columns = addElement(el, "div", { class: "studio-columns" });
    const halves = [renderPainting, renderComparing];
    const ends = halves.map((render) => render({ model, el: columns }));
    return () => ends.forEach((end) => end());
  },
};
