// Feedback on an answer: thumbs and an optional comment.

import { call } from '../shared/api.js';
import { announce, h, notify } from '../shared/dom.js';
import { bind, t } from '../shared/i18n.js';
import { icon } from '../shared/icons.js';

const LONGEST = 4000;
const THUMBS = { up: 'feedback.up', down: 'feedback.down' };

export class Feedback {
  /** `element` holds the thumbs, `form` the comment; both apply to the question `id` once it is set. */
  constructor() {
    this.id = null;
    this.rating = null;
    this.thumbs = Object.entries(THUMBS).map(([rating, label]) => h('button', {
      type: 'button', class: 'icon', 'aria-pressed': 'false', data: { rating },
      labels: { 'aria-label': label, title: label },
      on: { click: () => this.rate(rating) },
    }, icon(rating)));
    this.element = h('span', { class: 'thumbs' }, ...this.thumbs);
    this.label = h('span');
    this.comment = h('textarea', { rows: '2', maxlength: String(LONGEST) });
    this.form = h('form', { class: 'comment', hidden: true, on: { submit: (event) => this.submit(event) } },
      h('label', {}, this.label, this.comment),
      h('div', { class: 'comment-foot' },
        h('button', { type: 'button', class: 'quiet small', text: 'feedback.close', on: { click: () => this.close() } }),
        h('button', { type: 'submit', class: 'secondary small', text: 'feedback.send' })));
    this.form.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return;
      event.stopPropagation();
      this.close();
    });
  }

  /** Show stored feedback: {rating, comment} or null. */
  show(given) {
    this.rating = given?.rating ?? null;
    this.comment.value = given?.comment ?? '';
    for (const thumb of this.thumbs) thumb.setAttribute('aria-pressed', String(thumb.dataset.rating === this.rating));
  }

  async rate(rating) {
    this.show({ rating, comment: this.comment.value });
    bind(this.label, rating === 'up' ? 'feedback.comment_up' : 'feedback.comment_down');
    this.form.hidden = false;
    this.comment.focus();
    await this.send();
  }

  async submit(event) {
    event.preventDefault();
    if (await this.send()) this.close();
  }

  close() {
    this.form.hidden = true;
    this.thumbs.find((thumb) => thumb.dataset.rating === this.rating)?.focus();
  }

  async send() {
    const comment = this.comment.value.trim();
    try {
      await call('POST', `/questions/${encodeURIComponent(this.id)}/feedback`,
        { body: { rating: this.rating, ...(comment && { comment }) } });
      announce(t('feedback.thanks'));
      return true;
    } catch (problem) {
      this.show(null);
      this.form.hidden = true;
      notify(problem);
      return false;
    }
  }
}
