// What pages need of the browser beside htmx: copying a text. Pages work without it.
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.classList.add("copied");
  document.getElementById("said").textContent = "Copied";
  setTimeout(() => button.classList.remove("copied"), 2000);
});

// Uploads: a file is sent as it is, and the files of a folder in one body; the page shows how far it is.

async function readEntries(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...some);
  }
}

async function filesBelow(folder, path = "") {
  const found = [];
  for (const entry of await readEntries(folder)) {
    const name = path + entry.name;
    if (entry.isDirectory) found.push(...await filesBelow(entry, `${name}/`));
    else found.push({ name, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) });
  }
  return found;
}

// What skyhold.dashboard.parcels reads: a length, a head in JSON, contents.
function makeParcel(files) {
  const listed = files.map(({ name, file }) => ({ name, size: file.size }));
  const head = new TextEncoder().encode(JSON.stringify({ files: listed }));
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, head.length, true);
  return new Blob([length.buffer, head, ...files.map(({ file }) => file)]);
}

function setUpUploads(drop) {
  const list = drop.querySelector("ul");
  const takesFolders = drop.dataset.folders !== undefined;
  const only = drop.dataset.key;
  let waiting = Promise.resolve();
  let failed = false;
  drop.hidden = false;
  for (const input of drop.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => start(input.webkitdirectory ? chosenFolder(input.files) : chosen(input.files)));
  }
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    start(await dropped(event.dataTransfer));
  });

  function chosen(files) {
    return [...files].map((file) => ({ name: file.name, body: file }));
  }

  function chosenFolder(files) {
    if (!files.length) return [];
    const [folder] = files[0].webkitRelativePath.split("/");
    const inside = [...files].map((file) => ({ name: file.webkitRelativePath.slice(folder.length + 1), file }));
    return [{ name: folder, body: makeParcel(inside), many: true }];
  }

  async function dropped(data) {
    // Entries are gone after the first wait, so that all of them are taken first.
    const items = [...data.items].filter((item) => item.kind === "file");
    const entries = takesFolders ? items.map((item) => item.webkitGetAsEntry()) : [];
    const files = [...data.files];
    const found = chosen(files.filter((_, place) => !entries[place]?.isDirectory));
    for (const folder of entries.filter((entry) => entry?.isDirectory)) {
      found.push({ name: folder.name, body: makeParcel(await filesBelow(folder)), many: true });
    }
    return found;
  }

  function start(things) {
    const wanted = only && drop.dataset.folders === "only" ? things.filter((each) => each.many) : things;
    for (const thing of only ? wanted.slice(0, 1) : wanted) {
      const shown = showItem(thing.name);
      waiting = waiting.then(() => send(thing, shown, false));
    }
    waiting.then(() => { if (wanted.length && !failed) location.reload(); });
  }

  function showItem(name) {
    const item = document.createElement("li");
    const title = document.createElement("span");
    const bar = document.createElement("progress");
    const words = document.createElement("span");
    title.textContent = name;
    bar.setAttribute("aria-label", name);
    bar.max = 1;
    bar.value = 0;
    words.textContent = "waiting";
    words.setAttribute("role", "status");
    item.append(title, bar, words);
    list.append(item);
    return { item, bar, words };
  }

  function send(thing, shown, replace) {
    return new Promise((resolve) => {
      const query = new URLSearchParams({ key: only || drop.dataset.prefix + thing.name });
      for (const field of drop.querySelectorAll("input[name]")) query.set(field.name, field.value);
      if (thing.many) query.set("files", "many");
      if (replace) query.set("replace", "yes");
      const request = new XMLHttpRequest();
      request.open("POST", `${drop.dataset.upload}?${query}`);
      request.responseType = "json";
      request.upload.addEventListener("progress", (event) => {
        shown.bar.value = event.total ? event.loaded / event.total : 0;
        shown.words.textContent = `${Math.floor(100 * shown.bar.value)} %`;
      });
      request.addEventListener("loadend", () => {
        if (request.status === 201) {
          shown.bar.value = 1;
          shown.words.textContent = "done";
        } else {
          tellFailure(thing, shown, request);
        }
        resolve();
      });
      request.send(thing.body);
    });
  }

  function tellFailure(thing, shown, request) {
    failed = true;
    const answer = request.response || { cause: "the dashboard does not answer", code: "", remedy: "" };
    shown.words.textContent = [answer.cause, answer.remedy].filter(Boolean).join(". ");
    const words = { already_exists: "Replace", version_conflict: "Publish it all the same" }[answer.code];
    if (!words) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    button.addEventListener("click", () => {
      button.remove();
      failed = false;
      send(thing, shown, true).then(() => { if (!failed) location.reload(); });
    });
    shown.item.append(button);
  }
}

document.querySelectorAll("[data-upload]").forEach(setUpUploads);

// The text of a file of this computer, into the field that is sent.

for (const each of document.querySelectorAll("[data-text-into]")) {
  each.hidden = false;
  each.addEventListener("change", async () => {
    document.getElementById(each.dataset.textInto).value = each.files.length ? await each.files[0].text() : "";
  });
}
