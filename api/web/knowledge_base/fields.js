// The fields of the settings of a knowledge base: their values, what has changed, and an error at its field.

import { $, h } from '../shared/dom.js';
import { bind, t } from '../shared/i18n.js';

const text = { read: (input) => input.value.trim(), same: (value) => value || '' };
const optional = { read: (input) => input.value.trim() || null, same: (value) => value ?? '' };
const number = { read: (input) => (input.value === '' ? null : Number(input.value)), same: (value) => value ?? '' };

/** By the name that the server has for it: the input, how it is read, and how its value is shown. */
const FIELDS = {
  title: ['kb-title', text],
  description: ['kb-description', text],
  'answers.mode': ['kb-mode', optional],
  'answers.instructions': ['kb-instructions', optional],
  'answers.temperature': ['kb-temperature', number],
  'answers.top_p': ['kb-top-p', number],
  'answers.max_tokens': ['kb-max-tokens', number],
};

const stored = (kb, name) => (name.startsWith('answers.') ? kb.answers[name.slice('answers.'.length)] : kb[name]);

/** Show the values of a knowledge base. */
export function fill(kb) {
  for (const [name, [id, kind]] of Object.entries(FIELDS)) $(id).value = kind.same(stored(kb, name));
  clearErrors();
}

/** The request with what differs from the knowledge base; null if nothing does. */
export function changes(kb) {
  const body = {};
  for (const [name, [id, kind]] of Object.entries(FIELDS)) {
    if (!$(id).validity.badInput && $(id).value.trim() === String(kind.same(stored(kb, name)))) continue;
    const value = kind.read($(id));
    if (name.startsWith('answers.')) (body.answers ??= {})[name.slice('answers.'.length)] = value;
    else body[name] = value;
  }
  return Object.keys(body).length ? body : null;
}

/** Show the browser's own complaint at the first field that it refuses; returns whether there is none. */
export function isValid() {
  clearErrors();
  const wrong = Object.values(FIELDS).map(([id]) => $(id)).find((input) => !input.checkValidity());
  if (!wrong) return true;
  const { min, max } = wrong;
  const label = document.querySelector(`label[for="${wrong.id}"]`);
  fault(wrong, h('span', { text: ['kb_settings.number_wrong', { label: () => t(label.dataset.i18n), min, max }] }));
  return false;
}

/** Show the server's errors, each at its field; returns whether every one has found its field. */
export function blame(problem) {
  clearErrors();
  const named = [...problem.sentence.matchAll(/`([\w.]+)`[:：]\s*([^;；]*)/g)];
  const placed = named.filter(([, name]) => FIELDS[field(name)]);
  for (const [, name, words] of placed.reverse()) fault($(FIELDS[field(name)][0]), h('span', {}, words));
  return placed.length > 0 && placed.length === named.length;
}

/** The field that the server means: `answers.mode` may come as `mode`. */
const field = (name) => (FIELDS[name] ? name : `answers.${name}`);

function fault(input, words) {
  const line = $(`${input.id}-problem`);
  line.replaceChildren(words);
  line.hidden = false;
  input.setAttribute('aria-invalid', 'true');
  input.focus();
  line.scrollIntoView({ block: 'nearest' });
}

export function clearErrors() {
  for (const [id] of Object.values(FIELDS)) clearError($(id));
}

/** The person goes on typing: what was wrong may be right now. */
export function clearError(input) {
  const line = $(`${input.id}-problem`);
  if (!line) return;
  line.hidden = true;
  line.replaceChildren();
  input.removeAttribute('aria-invalid');
}

/** Show how many letters are left of a long text. */
export function showLeft(input) {
  const line = $(`${input.id}-left`);
  if (line) bind(line, 'kb_settings.left', { n: input.maxLength - input.value.length });
}
