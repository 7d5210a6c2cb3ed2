// What the pages of people, access and keys share: pages of lists, a copyable secret, a card that can be opened.

import { call } from '../shared/api.js';
import { announce, h, notify } from '../shared/dom.js';
import { t } from '../shared/i18n.js';

/** All items of a list that comes in pages; there are few enough people, groups and grants to show them at once. */
export async function everything(path) {
  const items = [];
  let cursor = null;
  do {
    const page = await call('GET', path, { query: { cursor, limit: '200' } });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return items;
}

/** A value that is shown once, with a button that copies it. `help` is a key. */
export function secretBox(value, help) {
  const shown = h('input', { readonly: true, value, labels: { 'aria-label': help }, on: { focus: (event) => event.target.select() } });
  const copy = async () => {
    shown.focus();
    try {
      await navigator.clipboard.writeText(value);
      announce(t('people.copied'));
      notify('people.copied', 'good');
    } catch {
      notify('people.copy_failed');
    }
  };
  return h('div', { class: 'secret', role: 'status' }, h('p', { class: 'help', text: help }),
    h('div', { class: 'with-button' }, shown, h('button', { type: 'button', class: 'secondary', text: 'people.copy', on: { click: copy } })));
}

/** Do something, and tell of its failure. Returns whether it was done. */
export async function attempt(task, done = null) {
  try {
    await task();
  } catch (problem) {
    if (problem.status !== 401) notify(problem);
    return false;
  }
  if (done) {
    announce(t(...[done].flat()));
    notify(done, 'good');
  }
  return true;
}

/** Checkboxes, one for each [value, key, key of its meaning]; `.values` has those that are checked. */
export function choices(legend, options, checked = []) {
  const boxes = options.map(([value]) => h('input', { type: 'checkbox', value, checked: checked.includes(value) }));
  const element = h('fieldset', { class: 'ticks' }, h('legend', { text: legend }),
    ...options.map(([, text, help], at) => h('label', { class: 'check' }, boxes[at],
      h('span', {}, h('strong', { text }), ' ', h('span', { class: 'help', text: help })))));
  return Object.defineProperty(element, 'values', { get: () => boxes.filter((box) => box.checked).map((box) => box.value) });
}

/** A choice of one of [value, key]. */
export function select(options, value) {
  const element = h('select', {}, ...options.map(([each, text]) => h('option', { value: each, text })));
  element.value = value;
  return element;
}
