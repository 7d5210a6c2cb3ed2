// Actions on one document: pause, resume, cancel, retry, tag, delete.

import { call } from '../shared/api.js';
import { announce, notify } from '../shared/dom.js';
import { askForText, confirmDelete } from '../shared/dialogs.js';
import { t } from '../shared/i18n.js';

const path = (row) => `/documents/${encodeURIComponent(row.id)}`;

export class DocumentActions {
  /** `onChanged()`: states will change. `onStale(row)`: reload it. `onTags(item)`, `onGone(row)`. */
  constructor(callbacks) {
    Object.assign(this, callbacks);
  }

  /** Pause, resume, cancel or retry one document. */
  async control(row, action) {
    row.act(true);
    row.touched = Infinity; // until the response, states from the list are outdated
    try {
      const job = await call('POST', `${path(row)}/${action}`,
        { body: action === 'retry' ? {} : undefined });
      row.touch();
      if (action === 'retry') row.showItem({ ...job, reason: null, waiting_for: null, stage: '', done: 0, total: null });
    } catch (problem) {
      row.touch();
      notify(problem);
      this.onStale(row);
    } finally {
      row.act(false);
      this.onChanged();
    }
  }

  /** Edit the tags as comma-separated text. */
  async tag(row) {
    const given = await askForText('documents.tags_title', 'documents.tags_label', (row.item.tags || []).join(', '),
      { maxLength: 1000, required: false });
    if (given === null) return;
    const tags = [...new Set(given.split(/[,，、]/).map((tag) => tag.trim()).filter(Boolean))];
    try {
      const item = await call('PATCH', path(row), { body: { tags } });
      row.touch();
      row.showItem(item);
      this.onTags(item);
    } catch (problem) {
      notify(problem);
    }
  }

  /** Delete after confirmation. */
  async remove(row) {
    const { name } = row.item;
    if (!(await confirmDelete('documents.delete_title', ['documents.delete_text', { name }]))) return;
    const before = { ...row.item };
    row.showDeleting();
    try {
      await call('DELETE', path(row));
      this.onGone(row);
      announce(t('documents.deleted', { name }));
    } catch (problem) {
      if (problem.status === 404) this.onGone(row);
      else {
        row.mark(before.state);
        row.offered = null;
        row.showItem(before);
        notify(problem);
      }
    }
  }
}
