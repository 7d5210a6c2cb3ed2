// Elements, messages and announcements. Data becomes text nodes, never markup.

import { bind, bindAttr } from './i18n.js';

export const $ = (id) => document.getElementById(id);

/**
 * Create an element. `props`: class, text (a key or [key, params]), labels ({attribute: key or
 * [key, params]}), on ({event: handler}), data ({name: value}); anything else is an attribute.
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === 'class') element.className = value;
    else if (name === 'text') bind(element, ...[value].flat());
    else if (name === 'labels') for (const [attr, text] of Object.entries(value)) bindAttr(element, attr, ...[text].flat());
    else if (name === 'on') for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    else if (name === 'data') Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** Show a message that can be dismissed. `error` is a Problem, or a key, or [key, params]. */
export function notify(error, kind = 'bad') {
  const text = error instanceof Error ? error.say() : h('span', { text: error });
  const notice = h('div', { class: `notice ${kind}`, role: kind === 'bad' ? 'alert' : 'status' }, text,
    h('button', {
      type: 'button', class: 'icon', labels: { 'aria-label': 'notice.dismiss' },
      on: { click: () => notice.remove() },
    }, '×'));
  (document.querySelector('dialog:modal') || document.body).append($('notices')); // a modal covers all else
  const same = [...$('notices').children].find((other) => other.textContent === notice.textContent);
  same?.remove();
  $('notices').append(notice);
  while ($('notices').children.length > 3) $('notices').firstChild.remove();
}

export const clearNotices = () => $('notices').replaceChildren();

/** Announce a text to screen readers. */
export function announce(text) {
  const log = $('announcer');
  log.append(h('p', {}, text));
  while (log.children.length > 12) log.firstChild.remove();
}

export const clearAnnouncements = () => $('announcer').replaceChildren();

/** Show or hide the error line of a form. */
export function problemLine(element, error) {
  element.hidden = !error;
  element.replaceChildren();
  if (error) element.append(error instanceof Error ? error.say() : h('span', { text: error }));
}
