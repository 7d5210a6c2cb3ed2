// The form of a source, a new one or one to change: its place, and what is taken of it.

import { h, problemLine } from '../shared/dom.js';
import { field, number, text } from '../shared/fields.js';
import { bind } from '../shared/i18n.js';

/** Texts separated by commas. */
const parts = (input) => input.value.split(',').map((part) => part.trim()).filter(Boolean);

export class SourceForm {
  /** `onSave(source, fields)`: null for a new source; throws a Problem. */
  constructor({ onSave }) {
    Object.assign(this, { onSave, changed: null });
    this.location = field('source.location', text(1000, '', true), 'source.location_help', 'source-location');
    this.name = field('source.name', text(100), null, 'source-name');
    this.include = field('source.include', text(1000), 'source.include_help', 'source-include');
    this.exclude = field('source.exclude', text(1000), 'source.exclude_help', 'source-exclude');
    this.tags = field('source.tags', text(1000), 'source.tags_help', 'source-tags');
    this.share = field('source.share', number(0, 100, 20), 'source.share_help', 'source-share');
    this.title = h('h2', {});
    this.problem = h('p', { class: 'problem', id: 'source-problem', role: 'alert', hidden: true });
    this.submit = h('button', { type: 'submit', class: 'primary', id: 'source-add' });
    this.leave = h('button', { type: 'button', class: 'secondary', text: 'dialog.cancel', on: { click: () => this.reset() } });
    this.element = h('form', { class: 'card', id: 'source-form', novalidate: true, hidden: true },
      this.title, this.problem, this.location,
      h('div', { class: 'field-row' }, this.name, this.include, this.exclude),
      h('div', { class: 'field-row' }, this.tags, this.share),
      h('div', { class: 'form-foot' }, this.submit, this.leave));
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      this.save();
    });
    this.element.addEventListener('input', () => problemLine(this.problem, null));
    this.mark(null);
  }

  /** Let the form be that of a new source, or of one whose place stays. */
  mark(source) {
    this.changed = source;
    bind(this.title, source ? 'source.change_title' : 'source.form', { name: source?.name });
    bind(this.submit, source ? 'source.save' : 'source.add');
    this.location.hidden = Boolean(source);
    this.leave.hidden = !source;
    problemLine(this.problem, null);
  }

  /** Show the settings of a source, to change them. */
  change(source) {
    this.mark(source);
    this.name.input.value = source.name;
    for (const name of ['include', 'exclude', 'tags']) this[name].input.value = source[name].join(', ');
    this.share.input.value = Math.round(source.max_delete_share * 100);
    this.name.input.focus();
  }

  reset() {
    this.element.reset();
    this.mark(null);
  }

  /** What is to be sent; null, with the fault shown, if a field is wrong. */
  read() {
    if (!this.changed && !this.location.input.value.trim()) return this.fault(this.location, 'source.location_help');
    if (!this.share.input.checkValidity()) return this.fault(this.share, 'source.share_help');
    const name = this.name.input.value.trim();
    return {
      ...(this.changed ? {} : { location: this.location.input.value.trim() }),
      ...(name ? { name } : {}),
      include: parts(this.include.input),
      exclude: parts(this.exclude.input),
      tags: parts(this.tags.input),
      max_delete_share: Number(this.share.input.value) / 100,
    };
  }

  fault({ input }, problem) {
    problemLine(this.problem, problem);
    input.focus();
    return null;
  }

  async save() {
    const fields = this.read();
    if (!fields) return;
    this.submit.disabled = true;
    try {
      await this.onSave(this.changed, fields);
    } catch (problem) {
      if (problem.status !== 401) problemLine(this.problem, problem);
    } finally {
      this.submit.disabled = false;
    }
  }
}
