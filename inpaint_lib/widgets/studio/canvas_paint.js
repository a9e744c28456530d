// Painting the hole. Strokes appear at once; Python hears of them when the pointer is released.

const KEYS =
  "Arrow keys move the cross, with Shift by one pixel. Enter or Space marks: a dot with the brush, " +
  "first one corner and then the other of a box. Escape gives up a box, Control+Z undoes.";

function painting(model, parent) {
  const { tools, stage } = column(parent, 2, "Paint over what should disappear");
  const photo = node(stage, "img", { alt: "" });
  // One layer of one colour, so that shapes that overlap look like one hole.
  const tint = node(stage, "canvas", { class: "studio-tint", "aria-hidden": "true" });
  const surface = node(stage, "canvas", { tabindex: 0, role: "application" });
  let tool = "brush", draft = null, pointer = null, anchor = null, cross = null, past = [];

  const choose = (name) => {
    tool = name;
    [draft, anchor] = [null, null];
    brush.setAttribute("aria-pressed", name === "brush");
    box.setAttribute("aria-pressed", name === "box");
    size.disabled = name === "box";
    draw();
  };
  const brush = button(tools, "Brush", "Paint with a round brush", () => choose("brush"));
  const box = button(tools, "Box", "Drag from corner to corner", () => choose("box"));
  const label = node(tools, "label", { class: "studio-size", text: "size" });
  const size = node(label, "input", { type: "range", min: 2, "aria-label": "Brush size" });
  const pixels = node(tools, "span", { class: "studio-pixels" });
  const undo = button(tools, "Undo", "Take back the last change (Ctrl+Z)", () => {
    if (past.length) change(past.pop());
    else change(model.get("shapes").slice(0, -1));
  });
  const clear = button(tools, "Clear", "Remove the whole hole", () => commit([]));
  size.addEventListener("input", () => draw());

  // Send the shapes. While the kernel is busy the page keeps only the last: nothing queues up.
  function change(shapes) {
    model.set("shapes", shapes);
    model.save_changes();
  }
  function commit(shapes) {
    past.push(model.get("shapes"));
    change(shapes);
  }
  function begin(at) {
    anchor = at;
    draft = tool === "box" ? { box: [...at, 0, 0] } : { points: [at], width: +size.value };
    draft.number = model.get("number"); // another photograph may be on its way
  }
  function extend(at) {
    if (tool === "box") {
      const [left, top] = at.map((v, i) => Math.round(Math.min(v, anchor[i])));
      const [right, bottom] = at.map((v, i) => Math.round(Math.max(v, anchor[i])));
      draft.box = [left, top, right - left, bottom - top];
    } else {
      const last = draft.points.at(-1); // points closer than this cannot be told apart
      if (Math.hypot(at[0] - last[0], at[1] - last[1]) > draft.width / 8) draft.points.push(at);
    }
  }
  function finish() {
    const made = draft;
    [draft, anchor, pointer] = [null, null, null];
    if (made?.points || made?.box[2] * made?.box[3] > 0) commit([...model.get("shapes"), made]);
    draw();
  }
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
  function draw() {
    const shapes = draft ? [...model.get("shapes"), draft] : model.get("shapes");
    sketch(tint, model, (ctx) => {
      ctx.fillStyle = ctx.strokeStyle = HOLE;
      fill(ctx, shapes, 0);
    });
    sketch(surface, model, (ctx, pixel) => {
      outline(ctx, shapes, pixel);
      if (cross) mark(ctx, cross, pixel);
    });
    pixels.textContent = `${size.value} px`;
    undo.disabled = !past.length && !shapes.length;
    clear.disabled = !shapes.length;
  }
  // Where the next mark will be: a cross, and with the brush its ring.
  function mark(ctx, [x, y], pixel) {
    for (const [colour, width] of [["black", 5], ["white", 2.5]]) {
      [ctx.strokeStyle, ctx.lineWidth] = [colour, width * pixel];
      ctx.beginPath();
      if (tool === "brush") ctx.arc(x, y, size.value / 2, 0, 2 * Math.PI);
      for (const [dx, dy] of [[14 * pixel, 0], [0, 14 * pixel]]) {
        ctx.moveTo(x - dx, y - dy);
        ctx.lineTo(x + dx, y + dy);
      }
      ctx.stroke();
    }
  }

  surface.addEventListener("pointerdown", (event) => {
    if (event.button || pointer !== null) return; // a second finger paints nothing
    pointer = event.pointerId;
    surface.setPointerCapture(pointer);
    cross = place(event);
    begin(cross);
    draw();
  });
  surface.addEventListener("pointermove", (event) => {
    if (pointer !== null && event.pointerId !== pointer) return;
    cross = place(event);
    if (pointer !== null) extend(cross);
    draw();
  });
  surface.addEventListener("pointerup", (event) => event.pointerId === pointer && finish());
  surface.addEventListener("pointercancel", () => {
    [draft, anchor, pointer] = [null, null, null];
    draw();
  });
  surface.addEventListener("pointerleave", () => {
    if (pointer === null && !draft) cross = null;
    draw();
  });
  surface.addEventListener("keydown", (event) => {
    const [width, height] = model.get("size");
    const arrow = {
      ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
    }[event.key];
    cross ??= [Math.round(width / 2), Math.round(height / 2)];
    if (arrow) {
      const step = event.shiftKey ? 1 : Math.max(1, Math.round(size.value / 2));
      cross = cross.map((v, i) => Math.max(0, Math.min([width, height][i], v + step * arrow[i])));
      if (draft) extend(cross);
    } else if (event.key === "Enter" || event.key === " ") {
      if (draft) finish();
      else {
        begin(cross);
        if (tool === "brush") finish();
      }
    } else if (event.key === "Escape" && draft) {
      [draft, anchor] = [null, null];
    } else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) {
      undo.click();
    } else return;
    event.preventDefault();
    draw();
  });
  for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
    stage.addEventListener(type, (event) => {
      event.preventDefault(); // else the browser leaves the notebook and shows the file
      event.stopPropagation();
      stage.classList.toggle("over", type === "dragenter" || type === "dragover");
      if (type === "drop") send(model, event.dataTransfer.files[0]);
    });
  }

  function photograph() {
    const [width, height] = model.get("size");
    fit(model, stage, tint, surface);
    show(photo, model, "photo");
    [draft, anchor, pointer, past] = [null, null, null, []];
    size.max = Math.max(8, Math.round(Math.min(width, height) / 4));
    size.value = Math.max(4, Math.round(Math.min(width, height) / 16));
    surface.setAttribute("aria-label", `Photograph of ${width} by ${height} pixels. ${KEYS}`);
    draw();
  }
  choose("brush");
  photograph();
  model.on("change:photo", photograph);
  model.on("change:shapes", draw);
  return () => URL.revokeObjectURL(photo.src);
}
