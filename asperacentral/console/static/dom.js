// Elements made from values. Text is only ever text: nothing here, or in any file of this page, reads markup.

/**
 * @param {string} tag
 * @param {Record<string, any>} [attributes] "class", "text", event listeners as "onclick", else attributes; null is left out
 * @param {...(Node | string)} children
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/** @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/** Change text only if it differs: untouched text keeps selections and spares screen readers. */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
