// The part of the completion studio that lives in the page: what its other two files share, and
// choosing a file. All three become one module: in a notebook, none could import its neighbour.

const HOLE = "#E69F00"; // orange of Okabe & Ito (2008)

function node(parent, tag, { text = "", ...attributes } = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  parent.append(made);
  return made;
}

function button(parent, text, title, onClick) {
  const made = node(parent, "button", { text, title, type: "button" });
  made.addEventListener("click", onClick);
  return made;
}

// A photograph from the reader's computer, to Python.
async function send(model, file) {
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

function upload(model, el) {
  const input = node(el, "input", { type: "file", accept: "image/*", hidden: "" });
  input.setAttribute("aria-label", "Photograph to upload");
  input.addEventListener("change", async () => {
    await send(model, input.files[0]);
    input.value = ""; // so that choosing the same file again is a change
  });
  const title = "Choose a picture file of your computer; you can also drop it on the photograph";
  button(el, "Upload a photograph…", title, () => input.click()).classList.add("main");
}

// Fill shapes, given in pixels of the photograph, each grown by `grow` of them.
function fill(ctx, shapes, grow) {
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

// Draw on an empty surface, in pixels of the photograph.
function sketch(surface, model, action) {
  const ctx = surface.getContext("2d");
  const scale = surface.width / model.get("size")[0];
  ctx.clearRect(0, 0, surface.width, surface.height);
  ctx.save();
  ctx.scale(scale, scale);
  action(ctx, 1 / scale);
  ctx.restore();
}

// The outline of all shapes together, black and orange: seen on any photograph.
function outline(ctx, shapes, pixel) {
  for (const [colour, grow] of [["black", 6], [HOLE, 4]]) {
    ctx.fillStyle = ctx.strokeStyle = colour;
    fill(ctx, shapes, grow * pixel);
  }
  ctx.globalCompositeOperation = "destination-out";
  fill(ctx, shapes, 0);
  ctx.globalCompositeOperation = "source-over";
}

// A column with its numbered heading, a row of tools and a stage of the photograph's shape.
function column(parent, number, words) {
  const made = node(parent, "div", { class: "studio-column" });
  const heading = node(made, "div", { class: "studio-step" });
  node(heading, "b", { text: number });
  heading.append(words);
  const tools = node(made, "div", { class: "studio-row" });
  const stage = node(made, "div", { class: "studio-stage" });
  return { made, tools, stage };
}

function fit(model, stage, ...surfaces) {
  const [width, height] = model.get("size");
  stage.style.aspectRatio = `${width} / ${height}`;
  stage.style.maxWidth = `${(360 * width) / height}px`; // a tall one shall not fill the page
  for (const surface of surfaces) {
    [surface.width, surface.height] = [1280, Math.round((1280 * height) / width)];
  }
}

function show(image, model, name) {
  URL.revokeObjectURL(image.src);
  const bytes = model.get(name);
  image.hidden = bytes.byteLength === 0;
  if (!image.hidden) image.src = URL.createObjectURL(new Blob([bytes]));
}

export default {
  render({ model, el }) {
    el.classList.add("studio");
    // Arrows and Enter are ours; the notebook would go to another cell.
    el.addEventListener("keydown", (event) => event.stopPropagation());
    if (model.get("part") === "upload") return upload(model, el);
    const columns = node(el, "div", { class: "studio-columns" });
    const ends = [painting(model, columns), comparing(model, columns)];
    return () => ends.forEach((end) => end());
  },
};
