// Base: reads what a page carries, for its other scripts.
"use strict";

/** The value of the JSON at a name. */
function readData(id) {
  return JSON.parse(document.getElementById(`data-${id}`).textContent);
}

/** The bytes of the file at a name, or null; it is taken off the page, to be in memory once. */
function takeFile(id) {
  const element = document.getElementById(`file-${id}`);
  if (!element) return null;
  const text = atob(element.textContent);
  element.remove();
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Run the packed library of the page; its policy allows that by the SHA-256 of the text. */
async function runLibrary() {
  const packed = new Blob([takeFile("library")]).stream();
  const text = await new Response(packed.pipeThrough(new DecompressionStream("gzip"))).text();
  const script = document.createElement("script");
  script.textContent = text;
  document.body.append(script);
}
