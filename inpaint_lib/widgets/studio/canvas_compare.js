// Before and after: the page does it alone, so the slider never waits for the kernel.

function comparing(model, parent) {
  const { made, tools, stage } = column(parent, 3, "Compare before and after");
  node(tools, "span", { text: "drag to uncover the original" });
  const slider = node(tools, "input", {
    type: "range", min: 0, max: 100, value: 0, "aria-label": "Before and after",
  });
  const before = node(stage, "img", { alt: "The photograph as it was" });
  const after = node(stage, "img", { alt: "The photograph, completed by the network" });
  const surface = node(stage, "canvas", { "aria-hidden": "true" });
  const divider = node(stage, "div", { class: "studio-divider" });
  const left = node(stage, "span", { class: "studio-chip studio-before", text: "before" });
  const right = node(stage, "span", { class: "studio-chip studio-after", text: "after" });
  const note = node(stage, "span", { class: "studio-chip studio-note" });
  // Not from the start: it would lie on the very seams that are to be judged.
  const label = node(node(made, "div", { class: "studio-row" }), "label");
  const outlined = node(label, "input", { type: "checkbox" });
  label.append("show the outline of the hole");

  function slide() {
    const there = !after.hidden;
    const share = there ? +slider.value : 100;
    after.style.clipPath = `inset(0 0 0 ${share}%)`;
    divider.style.left = `${share}%`;
    divider.hidden = slider.disabled = !there;
    left.hidden = !there || share < 20;
    right.hidden = !there || share > 80;
    slider.setAttribute("aria-valuetext", `left ${share} % before, the rest after`);
    note.hidden = there && !model.get("busy");
    note.textContent = model.get("busy") ? "Completing…" : model.get("note");
  }
  function photograph() {
    fit(model, stage, surface);
    show(before, model, "photo");
    slide();
  }
  function completed() {
    show(after, model, "completed");
    line();
    slider.value = 0; // first of all the reader wants to see what the network made
    slide();
  }
  function line() {
    const shapes = outlined.checked ? model.get("shapes") : [];
    sketch(surface, model, (ctx, pixel) => outline(ctx, shapes, pixel));
  }
  outlined.addEventListener("change", line);
  slider.addEventListener("input", slide);
  stage.addEventListener("pointermove", (event) => {
    if (!(event.buttons & 1) || slider.disabled) return;
    const seen = stage.getBoundingClientRect();
    slider.value = (100 * (event.clientX - seen.left)) / seen.width;
    slide();
  });
  stage.addEventListener("dragstart", (event) => event.preventDefault());
  photograph();
  completed();
  model.on("change:photo", photograph);
  model.on("change:completed", completed);
  model.on("change:busy", slide);
  model.on("change:note", slide);
  return () => [before, after].forEach((image) => URL.revokeObjectURL(image.src));
}
