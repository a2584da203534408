// Meshes in 3D. Each [data-scene] draws what the dashboard sends (skyhold.components.meshes.scene); those within one
// [data-linked] are looked at from the same side. Without WebGL the picture stays, and the page says why.

import {
  BufferAttribute, BufferGeometry, Color, DirectionalLight, DoubleSide, Group, HemisphereLight, Mesh,
  MeshLambertMaterial, OrbitControls, PerspectiveCamera, Scene, Vector3, WebGLRenderer,
} from "./vendor/three/three.min.js";

const STEP = Math.PI / 24;
const UP = new Vector3(0, 1, 0);

function readScene(buffer) {
  const view = new DataView(buffer);
  const magic = String.fromCharCode(...new Uint8Array(buffer, 0, 4));
  if (magic !== "SKY1") throw new Error("the answer is no scene");
  const length = view.getUint32(4, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const positions = new Float32Array(buffer, 8 + length, head.vertices * 3);
  const faces = new Uint32Array(buffer, 8 + length + positions.byteLength, head.triangles * 3);
  return { head, positions, faces };
}

async function fetchScene(address) {
  const answer = await fetch(address, { headers: { "HX-Request": "true" } });
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new Error([told.cause || `the dashboard answers ${answer.status}`, told.remedy].filter(Boolean).join(". "));
  }
  return readScene(await answer.arrayBuffer());
}

class Viewer {
  constructor(figure, scene, origin) {
    this.figure = figure;
    this.canvas = figure.querySelector("canvas");
    const context = this.canvas.getContext("webgl2", { antialias: true, alpha: true });
    if (!context) throw new Error("this browser draws nothing in 3D (WebGL is switched off)");
    this.renderer = new WebGLRenderer({ canvas: this.canvas, context });
    this.renderer.setPixelRatio(Math.min(window.devicePixelRatio, 2));
    this.camera = new PerspectiveCamera(35, 1, 0.01, 100);
    this.world = new Scene();
    this.world.add(new HemisphereLight(0xffffff, 0x8a94a0, 1.6));
    const key = new DirectionalLight(0xffffff, 1.9);
    key.position.set(-0.5, 0.8, 1);
    this.camera.add(key);
    this.world.add(this.camera);
    this.root = new Group();
    if (scene.head.up === "z") this.root.rotation.x = -Math.PI / 2;
    this.mesh = makeMesh(scene, figure.dataset.side || "new");
    this.mesh.position.set(...scene.head.middle.map((value, axis) => value - origin[axis]));
    this.root.add(this.mesh);
    this.world.add(this.root);
    this.controls = new OrbitControls(this.camera, this.canvas);
    this.controls.addEventListener("change", () => this.onLook());
    this.onLook = () => this.draw();
    this.canvas.addEventListener("keydown", (event) => this.press(event));
    new ResizeObserver(() => this.fit()).observe(this.canvas.parentElement);
  }

  frame(radius) {
    this.radius = radius || 1;
    this.camera.near = this.radius / 200;
    this.camera.far = this.radius * 200;
    this.fit();
    this.home();
  }

  home() {
    this.controls.target.set(0, 0, 0);
    // The angle of view is that of the height: where the width is less, it decides, and long things lie across it.
    const away = this.camera.aspect < 1 ? 3.5 / this.camera.aspect : 3.1;
    this.camera.position.set(-0.62, 0.5, 1).normalize().multiplyScalar(this.radius * away);
    this.controls.update();
  }

  lookAs(other) {
    this.camera.position.copy(other.camera.position);
    this.controls.target.copy(other.controls.target);
    this.camera.lookAt(this.controls.target);
    this.draw();
  }

  fit() {
    const { clientWidth, clientHeight } = this.canvas.parentElement;
    if (!clientWidth || !clientHeight) return;
    this.renderer.setSize(clientWidth, clientHeight, false);
    this.camera.aspect = clientWidth / clientHeight;
    this.camera.updateProjectionMatrix();
    this.draw();
  }

  draw() {
    this.renderer.render(this.world, this.camera);
    this.figure.dataset.eye = this.camera.position.toArray().map((value) => value.toPrecision(4)).join(" ");
  }

  paint() {
    const style = getComputedStyle(document.documentElement);
    const side = this.figure.dataset.side === "old" ? "--mesh-old" : "--mesh-new";
    for (const material of this.mesh.material) {
      const { colour, is_other: isOther } = material.userData;
      if (isOther) material.color = new Color(style.getPropertyValue(side).trim());
      else if (colour) material.color = new Color(...colour);
      else material.color = new Color(style.getPropertyValue("--mesh").trim());
    }
    this.draw();
  }

  press(event) {
    const offset = this.camera.position.clone().sub(this.controls.target);
    const turn = { ArrowLeft: [STEP, 0], ArrowRight: [-STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key];
    if (turn) {
      offset.applyAxisAngle(UP, turn[0]);
      const tilted = offset.clone().applyAxisAngle(new Vector3().crossVectors(UP, offset).normalize(), turn[1]);
      if (Math.abs(tilted.angleTo(UP) - Math.PI / 2) < Math.PI / 2 - 0.05) offset.copy(tilted);
    } else if (event.key === "+" || event.key === "=") {
      offset.multiplyScalar(1 / 1.15);
    } else if (event.key === "-") {
      offset.multiplyScalar(1.15);
    } else if (event.key === "Home") {
      this.home();
      return;
    } else {
      return;
    }
    event.preventDefault();
    this.camera.position.copy(this.controls.target).add(offset);
    this.controls.update();
  }
}

function makeMesh({ head, positions, faces }) {
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(positions, 3));
  geometry.setIndex(new BufferAttribute(faces, 1));
  const materials = [];
  let start = 0;
  for (const group of head.groups) {
    geometry.addGroup(start, group.count * 3, materials.length);
    start += group.count * 3;
    const material = new MeshLambertMaterial({ flatShading: true, side: DoubleSide });
    material.userData = group;
    materials.push(material);
  }
  return new Mesh(geometry, materials);
}

function words({ head }) {
  const others = head.groups.filter((group) => group.is_other).reduce((sum, group) => sum + group.count, 0);
  const size = head.size.map((value) => Number(value.toPrecision(5)).toLocaleString("en")).join(" × ");
  const said = [`${head.triangles.toLocaleString("en")} triangles`, `${size}${head.unit ? ` ${head.unit}` : ""}`];
  if (others) said.push(`${others.toLocaleString("en")} of them only here`);
  return said.join(", ");
}

async function open(figures) {
  const loaded = await Promise.all(figures.map(async (figure) => {
    try {
      return await fetchScene(figure.dataset.scene);
    } catch (error) {
      fail(figure, error);
      return null;
    }
  }));
  const origin = (loaded.find(Boolean) || { head: { middle: [0, 0, 0] } }).head.middle;
  const viewers = [];
  let radius = 0;
  loaded.forEach((scene, place) => {
    if (!scene) return;
    const figure = figures[place];
    figure.querySelector(".stage").hidden = false;
    try {
      viewers.push(new Viewer(figure, scene, origin));
    } catch (error) {
      figure.querySelector(".stage").hidden = true;
      fail(figure, error);
      return;
    }
    const away = Math.hypot(...scene.head.middle.map((value, axis) => value - origin[axis]));
    radius = Math.max(radius, away + Math.hypot(...scene.head.size) / 2);
    tell(figure, words(scene));
    figure.dataset.state = "drawn";
  });
  for (const viewer of viewers) {
    viewer.frame(radius);
    viewer.paint();
    viewer.onLook = () => {
      viewer.draw();
      for (const other of viewers) if (other !== viewer) other.lookAs(viewer);
    };
    const picture = viewer.figure.querySelector("img");
    if (picture) picture.hidden = true;
  }
  return viewers;
}

function tell(figure, text) {
  figure.querySelector("[role=status]").textContent = text;
}

function fail(figure, error) {
  figure.dataset.state = "failed";
  tell(figure, error.message);
}

function press(group, viewers, button) {
  if (button.dataset.view === "home") viewers[0]?.home();
  if (button.dataset.view === "wires") {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(on));
    for (const viewer of viewers) {
      for (const material of viewer.mesh.material) material.wireframe = on;
      viewer.draw();
    }
  }
}

const groups = document.querySelectorAll("[data-linked]");
groups.forEach(async (group) => {
  const viewers = await open([...group.querySelectorAll("[data-scene]")]);
  for (const button of group.querySelectorAll("button[data-view]")) {
    button.disabled = !viewers.length;
    button.addEventListener("click", () => press(group, viewers, button));
  }
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => viewers.forEach((each) => each.paint()));
});
