// Viewer: shows the image with its label map in slices, and the structures in 3D.
"use strict";

const LETTERS = [["L", "R"], ["P", "A"], ["I", "S"]];
const PLACES = ["at-left", "at-right", "at-top", "at-bottom"];
const AXIAL = 0, CORONAL = 1, SAGITTAL = 2;
const NAMES = ["sagittal", "coronal", "axial"];
const LAYOUTS = {
  all: [
    { sliceType: AXIAL, position: [0, 0, 0.495, 0.495] },
    { sliceType: CORONAL, position: [0.505, 0, 0.495, 0.495] },
    { sliceType: SAGITTAL, position: [0, 0.505, 0.495, 0.495] },
  ],
  axial: [{ sliceType: AXIAL, position: [0, 0, 1, 1] }],
  coronal: [{ sliceType: CORONAL, position: [0, 0, 1, 1] }],
  sagittal: [{ sliceType: SAGITTAL, position: [0, 0, 1, 1] }],
};
const FEW_SLICES = 40; // of a thin slab, whose axial slices are the ones to look at
const THIN_LAYOUT = [
  { sliceType: AXIAL, position: [0, 0, 0.66, 1] },
  { sliceType: CORONAL, position: [0.67, 0, 0.33, 0.325] },
  { sliceType: SAGITTAL, position: [0.67, 0.335, 0.33, 0.325] },
];
const ZOOM = 1.25, MOST_ZOOM = 12;
const TURN = 15; // degrees
const CROSSHAIR_PIXELS = 1.3, GAP_PIXELS = 9; // width, and free space round its middle
const BAR_LENGTHS = [1, 2, 5, 10, 20, 50, 100, 200, 500]; // mm
const LEAST_SIDE = 64; // pixels of a slice that has its letters within
const LOOKS = {
  backColor: [0, 0, 0, 1],
  crosshairColor: [0.2, 0.9, 1, 0.9],
  crosshairWidthUnit: "mm",
  dragAndDropEnabled: false,
  logLevel: "error",
  loadingText: "",
  viewModeHotKey: "",
  clipPlaneHotKey: "",
  cycleClipPlaneHotKey: "",
  isAntiAlias: true,
};

class Viewer {
  constructor(about) {
    this.about = about;
    this.hidden = new Set();
    const slices = {
      ...LOOKS,
      isOrientationTextVisible: false, // drawn by `placeLetters`, on a dark ground
      isRadiologicalConvention: true,
      sagittalNoseLeft: true,
      scrollRequiresFocus: true,
      crosshairWidth: 1,
    };
    this.hasCrosshair = true;
    this.slices = new niivue.Niivue(slices);
    const draw = this.slices.drawScene.bind(this.slices);
    this.slices.drawScene = (...words) => {
      draw(...words);
      if (this.fitCrosshair()) draw(...words);
      this.placeLetters();
    };
    this.solid = this.surfaces = null;
  }

  /** Put image and label map onto both canvases. */
  async load() {
    const [image, mask, solid] = ["image", "mask", "solid"].map(takeFile);
    const { low, high } = this.about.windows[0];
    const make = niivue.NVImage.new;
    await this.slices.attachToCanvas(document.getElementById("slices"));
    this.slices.addVolume(await make(image.buffer, "image.nii.gz", "gray", 1, null, low, high));
    this.overlay = await make(mask.buffer, "mask.nii.gz", "gray", 0.45);
    this.overlay.setColormapLabel(this.makeColours());
    this.slices.addVolume(this.overlay);
    if (solid) await this.loadSolid(await make(solid.buffer, "solid.nii.gz", "gray", 1));
    this.show("all");
  }

  /** Show the structures in 3D, from the patient's front. */
  async loadSolid(surfaces) {
    this.solid = new niivue.Niivue({ ...LOOKS, crosshairWidth: 0, isOrientCube: true });
    await this.solid.attachToCanvas(document.getElementById("solid"));
    surfaces.setColormapLabel(this.makeColours());
    this.surfaces = surfaces;
    this.solid.setSliceType(this.solid.sliceTypeRender);
    this.solid.setRenderAzimuthElevation(180, 10);
    this.solid.addVolume(surfaces);
    await this.solid.setVolumeRenderIllumination(0.6);
  }

  /** The colour of each label, see-through where it is switched off. */
  makeColours() {
    const found = { I: [0], R: [0], G: [0], B: [0], A: [0], labels: [""] };
    for (const { value, name, rgb } of this.about.labels) {
      found.I.push(value);
      found.R.push(rgb[0]);
      found.G.push(rgb[1]);
      found.B.push(rgb[2]);
      found.A.push(this.hidden.has(value) ? 0 : 255);
      found.labels.push(name);
    }
    return found;
  }

  /** Draw one view, or all of them. */
  show(view) {
    document.getElementById("stage").dataset.view = view;
    const isThin = this.about.axes[2].count < FEW_SLICES;
    document.getElementById("stage").classList.toggle("thin", isThin);
    const layout = view === "all" && isThin ? THIN_LAYOUT : LAYOUTS[view];
    if (layout) this.slices.setCustomLayout(layout);
    this.slices.resizeListener();
    this.solid?.resizeListener();
  }

  /** How many millimetres a pixel of a slice has. */
  measurePixel({ leftTopWidthHeight, fovMM }) {
    return (Math.abs(fovMM[0]) / leftTopWidthHeight[2]) * (this.slices.uiData.dpr ?? 1);
  }

  /** Keep the lines of the crosshair thin at any magnification; whether they have changed. */
  fitCrosshair() {
    const { screenSlices, opts } = this.slices;
    const slice = screenSlices.find(({ axCorSag, fovMM }) => axCorSag <= SAGITTAL && fovMM.length);
    if (!slice) return false;
    const wanted = this.hasCrosshair ? CROSSHAIR_PIXELS * this.measurePixel(slice) : 0;
    if (Math.abs(wanted - opts.crosshairWidth) <= 0.02 * wanted) return false;
    opts.crosshairWidth = wanted;
    opts.crosshairGap = (2 * GAP_PIXELS) / CROSSHAIR_PIXELS; // in half widths of a line
    if (this.slices.crosshairs3D) this.slices.crosshairs3D.mm[0] = NaN;
    return true;
  }

  /** The length and the text of the scale bar of a slice, in pixels. */
  measureBar(slice, width) {
    const pixel = this.measurePixel(slice);
    const fitting = BAR_LENGTHS.filter((mm) => mm / pixel <= 0.4 * width);
    const length = fitting.at(-1) ?? BAR_LENGTHS[0];
    return [length / pixel, `${length} mm`];
  }

  /** Write the sides of the patient at the edges of each slice, and draw a scale bar. */
  placeLetters() {
    const { screenSlices, opts, uiData } = this.slices;
    const [near, far] = opts.isRadiologicalConvention ? ["R", "L"] : ["L", "R"];
    const sides = {
      [AXIAL]: [near, far, "A", "P"],
      [CORONAL]: [near, far, "S", "I"],
      [SAGITTAL]: opts.sagittalNoseLeft ? ["A", "P", "S", "I"] : ["P", "A", "S", "I"],
    };
    const wanted = screenSlices.filter(({ axCorSag }) => sides[axCorSag]).flatMap((slice) => {
      const [x, y, w, h] = slice.leftTopWidthHeight.map((v) => v / (uiData.dpr ?? 1));
      const places = [[x, y + h / 2], [x + w, y + h / 2], [x + w / 2, y], [x + w / 2, y + h]];
      const [length, text] = this.measureBar(slice, w);
      return [
        ...places.map(([left, top], k) => {
          const isOutside = (k < 2 ? w : h) < LEAST_SIDE;
          return [sides[slice.axCorSag][k], `${PLACES[k]}${isOutside ? " outside" : ""}`, left, top];
        }),
        ...(h < LEAST_SIDE ? [] : [[text, "bar", x + 8, y + h - 6, length]]),
      ];
    });
    const key = JSON.stringify(wanted);
    if (key === this.placed) return;
    this.placed = key;
    document.getElementById("letters").replaceChildren(...wanted.map(([text, place, left, top, width]) => {
      const letter = document.createElement("span");
      letter.className = place;
      letter.textContent = text;
      letter.style.left = `${left}px`;
      letter.style.top = `${top}px`;
      if (width) letter.style.width = `${width}px`;
      return letter;
    }));
  }

  hide(values) {
    this.hidden = new Set(values);
    this.overlay.setColormapLabel(this.makeColours());
    this.slices.updateGLVolume();
    this.surfaces?.setColormapLabel(this.makeColours());
    this.solid?.updateGLVolume();
  }

  setOpacity(share) {
    this.slices.setOpacity(1, share);
  }

  setWindow(low, high) {
    const image = this.slices.volumes[0];
    image.cal_min = low;
    image.cal_max = high;
    this.slices.updateGLVolume();
  }

  get window() {
    const image = this.slices.volumes[0];
    return [image.cal_min, image.cal_max];
  }

  setRadiological(isRadiological) {
    this.slices.opts.isRadiologicalConvention = isRadiological;
    this.slices.drawScene();
  }

  setCrosshair(isShown) {
    this.hasCrosshair = isShown;
    this.slices.drawScene();
  }

  /** Move the crosshair to a place in RAS+ millimetres. */
  goTo(place) {
    this.slices.scene.crosshairPos = this.slices.mm2frac(place, 0, true);
    this.tell();
  }

  /** How many slices there are along an axis, and which one is shown. */
  count(axis) {
    return this.slices.volumes[0].dimsRAS[axis + 1];
  }

  index(axis) {
    const n = this.count(axis);
    return Math.min(n - 1, Math.floor(this.slices.scene.crosshairPos[axis] * n));
  }

  /** The slice of the file that is shown across an axis: "66 of 129". */
  findSlice(axis) {
    const { shrink, count, turned } = this.about.axes[axis];
    const shown = turned ? this.count(axis) - 1 - this.index(axis) : this.index(axis);
    return `${Math.min(count, shrink * shown + Math.ceil(shrink / 2))} of ${count}`;
  }

  goToSlice(axis, index) {
    const n = this.count(axis);
    const bounded = Math.max(0, Math.min(n - 1, index));
    this.slices.scene.crosshairPos[axis] = (bounded + 0.5) / n;
    this.tell();
  }

  /** Enlarge the slices round the crosshair by a factor; 0 shows them whole. */
  zoom(factor) {
    const { scene } = this.slices;
    const scale = factor ? Math.min(MOST_ZOOM, Math.max(1, scene.pan2Dxyzmm[3] * factor)) : 1;
    const place = [...this.slices.frac2mm(scene.crosshairPos)].slice(0, 3);
    this.slices.setPan2Dxyzmm([...place.map((mm) => mm * (1 - scale)), scale]);
  }

  /** Turn the structures in 3D by steps to the side and up. */
  turn(sideways, upwards) {
    const { renderAzimuth, renderElevation } = this.solid.scene;
    const up = Math.max(-90, Math.min(90, renderElevation + TURN * upwards));
    this.solid.setRenderAzimuthElevation(renderAzimuth + TURN * sideways, up);
  }

  scaleSolid(factor) {
    this.solid.setScale(this.solid.scene.volScaleMultiplier * factor);
  }

  tell() {
    this.slices.drawScene();
    this.slices.createOnLocationChange();
  }
}

/** A place in words: "L 12.3, A 4.0, S 100.5 mm from the file's origin". */
function describePlace(mm) {
  const parts = [0, 1, 2].map((axis) => {
    const letter = LETTERS[axis][mm[axis] < 0 ? 0 : 1];
    return `${letter} ${Math.abs(mm[axis]).toFixed(1)}`;
  });
  return `${parts.join(", ")} mm from the file\u2019s origin`;
}

/** A number with as many digits as a person reads. */
function describeValue(value) {
  const size = Math.abs(value);
  const text = value.toFixed(size >= 100 || Number.isInteger(value) ? 0 : size >= 1 ? 1 : 3);
  return text.replace("-", "\u2212");
}

function connect(viewer) {
  const about = viewer.about;
  const $ = (id) => document.getElementById(id);
  const names = new Map(about.labels.map(({ value, name }) => [value, name]));
  $("controls").addEventListener("submit", (event) => event.preventDefault());

  for (const button of $("views").querySelectorAll("button")) {
    button.hidden = button.dataset.view === "solid" && !viewer.solid;
    button.addEventListener("click", () => {
      viewer.show(button.dataset.view);
      for (const other of $("views").querySelectorAll("button")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
    });
  }

  const boxes = [...$("labels").querySelectorAll("input")];
  const showChecked = () => {
    const hidden = boxes.filter((box) => !box.checked);
    viewer.hide(hidden.map((box) => Number(box.dataset.value)));
  };
  for (const box of boxes) box.addEventListener("change", showChecked);
  for (const [id, isVisible] of [["all-labels", true], ["no-labels", false]]) {
    $(id)?.addEventListener("click", () => {
      for (const box of boxes) box.checked = isVisible;
      showChecked();
    });
  }

  const opacity = $("opacity");
  opacity.addEventListener("input", () => {
    viewer.setOpacity(opacity.value / 100);
    document.querySelector("output[for=opacity]").value = `${opacity.value} %`;
  });

  const [preset, width, level] = [$("window"), $("width"), $("level")];
  const tellWindow = () => {
    const [low, high] = viewer.window;
    width.value = Number((high - low).toPrecision(4));
    level.value = Number(((high + low) / 2).toPrecision(4));
  };
  preset.addEventListener("change", () => {
    const { low, high } = about.windows[preset.value];
    viewer.setWindow(low, high);
    tellWindow();
  });
  for (const input of [width, level]) {
    input.addEventListener("change", () => {
      const [wide, middle] = [width.valueAsNumber, level.valueAsNumber];
      if (!(wide > 0) || !Number.isFinite(middle)) {
        tellWindow();
        return;
      }
      preset.value = "own";
      viewer.setWindow(middle - wide / 2, middle + wide / 2);
    });
  }
  viewer.slices.onIntensityChange = () => {
    preset.value = "own";
    tellWindow();
  };

  const sliders = [0, 1, 2].map((axis) => $(`axis-${axis}`));
  sliders.forEach((slider, axis) => {
    slider.min = 0;
    slider.max = viewer.count(axis) - 1;
    slider.addEventListener("input", () => viewer.goToSlice(axis, slider.valueAsNumber));
  });
  viewer.slices.onLocationChange = ({ mm, values }) => {
    const place = describePlace(mm);
    const value = `${describeValue(values[0].value)}${about.unit ? ` ${about.unit}` : ""}`;
    const label = names.get(values[1]?.value) ?? "background";
    const slices = [2, 1, 0].map((axis) => `${NAMES[axis]} ${viewer.findSlice(axis)}`).join(", ");
    $("place").textContent = `${place} · ${value} · ${label}`;
    $("numbers").textContent = `Slices of the file: ${slices}`;
    sliders.forEach((slider, axis) => {
      slider.value = viewer.index(axis);
      slider.setAttribute("aria-valuetext", `${NAMES[axis]} slice ${viewer.findSlice(axis)}`);
    });
  };
  const zooms = { "+": ZOOM, "=": ZOOM, "-": 1 / ZOOM, 0: 0 };
  const keys = {
    ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowDown: [1, -1], ArrowUp: [1, 1],
    PageDown: [2, -1], PageUp: [2, 1],
  };
  $("slices").addEventListener("keydown", (event) => {
    if (event.key in zooms && !(event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      viewer.zoom(zooms[event.key]);
    }
    const move = keys[event.key];
    if (!move) return;
    event.preventDefault();
    const [axis, step] = move;
    const sign = axis === 0 && $("radiological").checked ? -1 : 1;
    viewer.goToSlice(axis, viewer.index(axis) + sign * step);
  });

  const turns = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
  $("solid").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey) return;
    if (turns[event.key]) viewer.turn(...turns[event.key]);
    else if (zooms[event.key]) viewer.scaleSolid(zooms[event.key]);
    else return;
    event.preventDefault();
  });

  $("crosshair").addEventListener("change", (event) => viewer.setCrosshair(event.target.checked));
  const tellConvention = () => {
    const isRadiological = $("radiological").checked;
    viewer.setRadiological(isRadiological);
    $("convention").textContent = isRadiological
      ? "Radiological: patient\u2019s left on the right"
      : "Neurological: patient\u2019s left on the left";
  };
  $("radiological").addEventListener("change", tellConvention);
  tellConvention();

  for (const button of document.querySelectorAll("button.go")) {
    const go = () => viewer.goTo(button.dataset.centre.split(" ").map(Number));
    button.addEventListener("click", () => {
      go();
      $("stage").scrollIntoView({ block: "nearest" });
    });
  }
  tellWindow();
  if (about.start) viewer.goTo(about.start);
  else viewer.tell();
}

/** Let the picture stand for the viewer, and say why. */
function fallBack(reason) {
  const failed = document.getElementById("failed");
  document.getElementById("viewer").hidden = true;
  document.documentElement.classList.remove("viewing");
  failed.textContent = `The viewer cannot be shown here (${reason}): the picture stands for it.`;
  failed.hidden = false;
  document.documentElement.dataset.ready = "picture";
}

async function start() {
  const [waiting, section] = ["waiting", "viewer"].map((id) => document.getElementById(id));
  const root = document.documentElement;
  try {
    if (!document.createElement("canvas").getContext("webgl2")) {
      throw new Error("this browser has no WebGL2");
    }
    waiting.hidden = false;
    await new Promise((resume) => setTimeout(resume));
    await runLibrary();
    section.hidden = false;
    root.classList.add("viewing");
    const viewer = new Viewer(readData("viewer"));
    await viewer.load();
    connect(viewer);
    window.viewer = viewer;
    if (matchMedia("(max-width: 32rem)").matches) {
      document.querySelector("#views [data-view=axial]").click();
    }
    for (const canvas of document.querySelectorAll(".pane canvas")) {
      canvas.addEventListener("webglcontextlost", () => fallBack("the graphics were reset"));
    }
    root.dataset.ready = "viewer";
  } catch (error) {
    fallBack(error.message);
  }
  waiting.hidden = true;
}

start();
