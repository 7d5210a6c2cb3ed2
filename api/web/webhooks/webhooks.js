// The webhooks that one may manage: a list with what each was told lately, and the form for another one.

import { call } from '../shared/api.js';
import { confirmAction, confirmDelete } from '../shared/dialogs.js';
import { $, h, notify } from '../shared/dom.js';
import { attempt, everything, secretBox } from '../people/parts.js';
import { WebhookForm } from './form.js';
import { webhookRow } from './row.js';

const SENT_MS = 3_000; // for so long a test is under way, most times

/** Whether the current address is that of the webhooks. */
export const atWebhooks = () => /^#\/webhooks\/?$/.test(location.hash);

const path = (id, action = '') => `/webhooks/${encodeURIComponent(id)}${action}`;

export class Webhooks {
  /** `operates()` tells whether the person may add webhooks of all knowledge bases. */
  constructor(operates) {
    this.operates = operates;
    this.isOpen = false;
  }

  async open() {
    this.isOpen = true;
    this.form = new WebhookForm({
      onSaved: async (info) => {
        this.hideForm();
        if (info.secret) this.showSecret(info.secret);
        await this.load();
      },
      onClose: () => this.hideForm(),
    });
    this.add = h('button', { type: 'button', class: 'primary', text: 'webhook.new', on: { click: () => this.showForm() } });
    this.secret = h('div', {});
    this.list = h('ul', { class: 'schedule-list', labels: { 'aria-label': 'webhook.list' } });
    this.none = h('p', { class: 'empty', text: 'webhook.none', hidden: true });
    $('view-webhooks').replaceChildren(
      h('header', { class: 'schedule-head' },
        h('h1', { id: 'webhooks-title', tabindex: '-1', text: 'webhook.title' }),
        h('a', { href: '#/', text: 'schedule.back' })),
      h('p', { text: 'webhook.lead' }), h('div', {}, this.add), this.form.element, this.secret, this.list, this.none);
    $('webhooks-title').focus();
    await this.load();
  }

  close() {
    this.isOpen = false;
    clearTimeout(this.timer);
    $('view-webhooks').replaceChildren();
  }

  /** Reload the server's sentences in the current language. */
  relanguage() {
    if (this.isOpen) this.load();
  }

  showSecret(secret) {
    this.secret.replaceChildren(secretBox(secret, 'webhook.secret'));
    this.secret.querySelector('input').focus();
  }

  async showForm(webhook = null) {
    this.secret.replaceChildren();
    try {
      const bases = webhook ? [] : await everything('/knowledge-bases');
      if (!this.isOpen) return;
      this.add.hidden = true;
      this.form.open(webhook, bases, this.operates());
    } catch (problem) {
      if (problem.status !== 401) notify(problem);
    }
  }

  hideForm() {
    this.form.close();
    this.add.hidden = false;
    this.add.focus();
  }

  async load() {
    if (!this.isOpen) return;
    clearTimeout(this.timer);
    try {
      const items = await everything('/webhooks');
      if (this.isOpen) this.show(items);
    } catch (problem) {
      if (problem.status !== 401 && this.isOpen) notify(problem);
    }
  }

  /** Show the list; open details stay open, and a focused button keeps its focus. */
  show(items) {
    const open = new Set([...this.list.querySelectorAll('details[open]')].map((each) => each.closest('li').dataset.id));
    const { id, action } = { ...document.activeElement?.closest('.webhook')?.dataset, ...document.activeElement?.dataset };
    this.list.replaceChildren(...items.map((info) => webhookRow(info, {
      act: (chosen, about) => this.act(chosen, about),
      deliveries: (about) => this.deliveries(about),
      again: (delivery) => this.again(delivery),
      isOpen: open.has(info.id),
    })));
    this.none.hidden = items.length > 0;
    const row = [...this.list.children].find((each) => each.dataset.id === id);
    if (row && action) row.querySelector(`[data-action="${action}"]`)?.focus();
  }

  async deliveries(id) {
    try {
      return (await call('GET', path(id, '/deliveries'))).items;
    } catch (problem) {
      if (problem.status !== 401) notify(problem);
      return [];
    }
  }

  async again(delivery) {
    await attempt(() => call('POST', `/webhooks/deliveries/${encodeURIComponent(delivery.id)}/retry`), 'webhook.sent');
    await this.load();
    this.timer = setTimeout(() => this.load(), SENT_MS);
  }

  async act(action, info) {
    const { id, url } = info;
    if (action === 'change') await this.showForm(info);
    else if (action === 'rotate') await this.rotate(info);
    else if (action === 'delete') {
      const sure = await confirmDelete('webhook.delete_title', ['webhook.delete_text', { url }]);
      if (sure && await attempt(() => call('DELETE', path(id)), 'webhook.deleted')) await this.load();
    } else if (action === 'test') {
      await attempt(() => call('POST', path(id, '/test')), 'webhook.sent');
      await this.load();
      this.timer = setTimeout(() => this.load(), SENT_MS);
    } else {
      const disabled = action === 'disable';
      if (await attempt(() => call('PATCH', path(id), { body: { disabled } }), disabled ? 'webhook.done_disable' : 'webhook.done_enable')) await this.load();
    }
  }

  async rotate({ id }) {
    const sure = await confirmAction('webhook.rotate_title', 'webhook.rotate_text', 'webhook.rotate', 'webhook.keep');
    if (!sure) return;
    try {
      this.showSecret((await call('POST', path(id, '/rotate-secret'))).secret);
    } catch (problem) {
      if (problem.status !== 401) notify(problem);
    }
    await this.load();
  }
}
