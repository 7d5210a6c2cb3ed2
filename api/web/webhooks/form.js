// The form of a webhook, a new one or one to change: its address, its knowledge base, and the events that it is told of.

import { call } from '../shared/api.js';
import { h, problemLine } from '../shared/dom.js';
import { field, text } from '../shared/fields.js';
import { bind } from '../shared/i18n.js';
import { choices, select } from '../people/parts.js';
import { EVENTS } from './row.js';

export class WebhookForm {
  /** `onSaved(info)` when the server has it, with the secret of a new one; `onClose()` when the form is left. */
  constructor({ onSaved, onClose }) {
    this.onSaved = onSaved;
    this.problem = h('p', { class: 'problem', role: 'alert', hidden: true });
    this.title = h('h2', {});
    this.fields = h('div', { class: 'schedule-options' });
    this.submit = h('button', { type: 'submit', class: 'primary' });
    this.element = h('form', { class: 'card schedule-form', novalidate: true, hidden: true },
      this.title, this.problem, this.fields,
      h('div', { class: 'form-foot' }, this.submit,
        h('button', { type: 'button', class: 'secondary', text: 'schedule.close', on: { click: onClose } })));
    this.element.addEventListener('submit', (event) => {
      event.preventDefault();
      this.save();
    });
  }

  /** Show the form of `webhook`, or of a new one of one of `bases`, or of all of them. */
  open(webhook, bases, ofAll) {
    this.changed = webhook;
    problemLine(this.problem, null);
    bind(this.title, ...(webhook ? ['webhook.change_title', { url: webhook.url }] : ['webhook.new']));
    bind(this.submit, webhook ? 'schedule.save' : 'webhook.create');
    this.url = field('webhook.url', text(2048, webhook?.url || '', true), 'webhook.url_help');
    this.description = field('webhook.description', text(200, webhook?.description || ''));
    this.events = choices('webhook.events', Object.entries(EVENTS).map(([value, [key, help]]) => [value, key, help]), webhook?.events);
    this.each = h('input', { type: 'checkbox', checked: Boolean(webhook?.each_document) });
    const named = bases.map((kb) => [kb.name, ['people.plain', { value: kb.title || kb.name }]]);
    const offered = [...(ofAll ? [['', 'webhook.all']] : []), ...named];
    this.kb = webhook ? null : field('schedule.kb', select(offered, offered[0]?.[0]));
    this.fields.replaceChildren(...[this.url, this.kb, this.description, this.events,
      h('label', { class: 'check' }, this.each, h('span', { text: 'webhook.each_document' }))].filter(Boolean));
    this.element.hidden = false;
    this.url.input.focus();
  }

  close() {
    this.element.hidden = true;
    this.fields.replaceChildren();
  }

  async save() {
    problemLine(this.problem, null);
    const body = {
      url: this.url.input.value.trim(),
      description: this.description.input.value.trim(),
      events: this.events.values,
      each_document: this.each.checked,
    };
    if (this.kb?.input.value) body.knowledge_base = this.kb.input.value;
    const { changed } = this;
    this.submit.disabled = true;
    try {
      const info = changed
        ? await call('PATCH', `/webhooks/${encodeURIComponent(changed.id)}`, { body })
        : await call('POST', '/webhooks', { body });
      await this.onSaved(info);
    } catch (problem) {
      problemLine(this.problem, problem);
      this.url.input.focus();
    } finally {
      this.submit.disabled = false;
    }
  }
}
