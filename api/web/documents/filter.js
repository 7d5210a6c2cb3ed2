// The filter of the document list: by state or batch (on the server), by name or tag (in the page).

import { $, h } from '../shared/dom.js';
import { bind } from '../shared/i18n.js';
import { STATES } from './job.js';

const TYPING_MS = 250;
const FILTERED = ['queued', 'running', 'waiting', 'paused', 'ready', 'failed', 'canceled'];

const folded = (text) => text.normalize('NFKC').toLowerCase();

export class DocumentFilter {
  /** `onChange()` is called when the filter changes. */
  constructor(onChange) {
    this.onChange = onChange;
    this.batch = null; // {id, name}
    this.tags = new Set();
    let typing = 0;
    $('docs-search').addEventListener('input', () => {
      clearTimeout(typing);
      typing = setTimeout(onChange, TYPING_MS);
    });
    for (const state of FILTERED) $('docs-state').append(h('option', { value: state, text: STATES[state] }));
    for (const id of ['docs-state', 'docs-tag']) $(id).addEventListener('change', onChange);
    $('docs-all').addEventListener('click', () => {
      this.reset();
      onChange();
      $('docs-search').focus();
    });
  }

  reset() {
    this.batch = null;
    for (const id of ['docs-search', 'docs-state', 'docs-tag']) $(id).value = '';
    $('docs-batch').hidden = true;
  }

  /** Reset for another knowledge base, whose tags are not known yet. */
  clear() {
    this.reset();
    this.tags.clear();
    $('docs-tag').replaceChildren($('docs-tag').firstElementChild);
    $('docs-tag-field').hidden = true;
  }

  /** Show the documents of a batch, limited to `state` if given. */
  only({ id, name, state = $('docs-state').value }) {
    this.batch = { id, name };
    $('docs-state').value = state;
    bind($('docs-batch-name'), 'documents.only', { name });
    $('docs-batch').hidden = false;
  }

  /** The query parameters for the server. */
  get query() {
    return { state: $('docs-state').value, batch: this.batch?.id };
  }

  get words() {
    return folded($('docs-search').value).split(/\s+/).filter(Boolean);
  }

  /** Whether the page filters the server's results. */
  get isLocal() {
    return this.words.length > 0 || Boolean($('docs-tag').value);
  }

  get isOn() {
    return this.isLocal || Boolean(this.batch || $('docs-state').value);
  }

  matches({ name, tags = [] }) {
    const tag = $('docs-tag').value;
    return (!tag || tags.includes(tag)) && this.words.every((word) => folded(name).includes(word));
  }

  /** Offer the tags of a document in the filter. */
  learn({ tags = [] }) {
    for (const tag of tags) {
      if (this.tags.has(tag)) continue;
      this.tags.add(tag);
      const after = [...$('docs-tag').options].slice(1).find(({ value }) => value > tag);
      $('docs-tag').add(h('option', { value: tag }, tag), after || null);
      $('docs-tag-field').hidden = false;
    }
  }
}
