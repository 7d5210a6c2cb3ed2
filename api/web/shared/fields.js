// Labelled fields of forms.

import { h } from './dom.js';

let ids = 0;

/** A labelled field of an input. `help` is the key of a text below it; without `id` it gets one of its own. */
export function field(key, input, help = null, id = `field-${(ids += 1)}`) {
  input.id = id;
  const below = help ? h('p', { class: 'help', id: `${id}-help`, text: help }) : null;
  if (below) input.setAttribute('aria-describedby', below.id);
  const element = h('div', { class: 'field' }, h('label', { for: id, text: key }), input, below);
  return Object.assign(element, { input, key });
}

export const number = (min, max, value = '', required = true) =>
  h('input', { type: 'number', inputmode: 'numeric', min: String(min), max: String(max), step: '1', value: String(value), required });

export const text = (maxlength, value = '', required = false) =>
  h('input', { type: 'text', maxlength: String(maxlength), value, required, autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false' });
