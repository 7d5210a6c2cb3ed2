// The form that plans or starts a re-index.

import { $, h, problemLine } from '../shared/dom.js';
import { bind, t } from '../shared/i18n.js';
import { isOver } from '../documents/job.js';
import { estimate } from './plan.js';
import { questionsOf } from './questions.js';

const NUMBERS = ['reindex-max', 'reindex-overlap', 'reindex-parallelism', 'reindex-throttle'];
const PASSED = { max: 'reindex-max', overlap: 'reindex-overlap', model: 'reindex-model' };
const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';

export class ReindexForm {
  /** `onPlan(request)` and `onStart(request)` when the fields are right. */
  constructor({ onPlan, onStart }) {
    $('reindex-form').addEventListener('submit', async (event) => {
      event.preventDefault();
      const request = this.read();
      const questions = request && (await this.questions());
      if (questions !== undefined && request) onStart({ ...request, questions });
    });
    $('reindex-plan').addEventListener('click', () => {
      const request = this.read();
      const { chunking, embedding_model, parallelism } = request || {};
      if (request) onPlan({ chunking, embedding_model, parallelism });
    });
    $('reindex-form').addEventListener('input', () => problemLine($('reindex-problem'), null));
    bind($('reindex-hours-help'), 'reindex.hours_help', { zone: ZONE });
  }

  /** Offer these embedding models, where there is a choice; `chosen` is that of the index in use. */
  offerModels(names, chosen) {
    const offered = JSON.stringify([names, chosen]);
    if (offered === this.offered) return; // what was picked stays
    this.offered = offered;
    const option = (name) => h('option', { value: name, selected: name === chosen }, name);
    $('reindex-model').replaceChildren(...names.map(option));
    $('reindex-models').hidden = names.length < 2;
  }

  /** Start with the knowledge base's chunking. */
  reset(chunking) {
    $('reindex-form').reset();
    $('reindex-max').value = chunking.max_tokens;
    $('reindex-overlap').value = chunking.overlap_tokens;
    this.complain(null);
    this.showPlan(null);
  }

  /** Fill in what the settings of the knowledge base have passed on; nothing is started. */
  fill(query) {
    for (const [name, id] of Object.entries(PASSED)) {
      const isOffered = name !== 'model' || [...$(id).options].some(({ value }) => value === query.get(name));
      if (query.has(name) && isOffered) $(id).value = query.get(name);
    }
    if (query.has('max')) $('reindex-plan').focus();
  }

  /** The request of the fields; null, with the fault shown, if one is wrong. */
  read() {
    const wrong = NUMBERS.map($).find((input) => !input.checkValidity());
    if (wrong) {
      const label = document.querySelector(`label[for="${wrong.id}"]`);
      const { min, max } = wrong;
      return this.fault(wrong, ['reindex.number_wrong', { label: () => t(label.dataset.i18n), min, max }]);
    }
    const [from, to] = [$('reindex-from'), $('reindex-to')];
    if (Boolean(from.value) !== Boolean(to.value)) return this.fault(from.value ? to : from, 'reindex.hours_half');
    const [max, overlap, parallelism, percent] = NUMBERS.map((id) => Number($(id).value));
    return {
      chunking: { max_tokens: max, overlap_tokens: overlap },
      ...($('reindex-models').hidden ? {} : { embedding_model: $('reindex-model').value }),
      parallelism,
      throttle: percent / 100,
      window: from.value ? `${from.value}-${to.value} ${ZONE}` : '',
      approve: $('reindex-approve').checked,
      soak_seconds: Number($('reindex-keep').value),
    };
  }

  /** What the gate asks: the set of a file, recent questions, or nothing (null); undefined, with the fault shown. */
  async questions() {
    const [file] = $('reindex-set').files;
    if (!file) return $('reindex-recent').checked ? 'recent' : null;
    try {
      return questionsOf(await file.text());
    } catch {
      this.fault($('reindex-set'), ['gate.set_wrong', { name: file.name }]);
      return undefined;
    }
  }

  fault(input, text) {
    this.complain(text);
    if ($('reindex-more').contains(input)) $('reindex-more').open = true;
    input.focus();
    return null;
  }

  /** Show or hide an error: a Problem, or a key, or [key, params]. */
  complain(problem) {
    problemLine($('reindex-problem'), problem);
  }

  /** Disable the buttons while a request or a plan is under way; the pressed one gets the focus back. */
  busy(isBusy) {
    const buttons = [$('reindex-start'), $('reindex-plan')];
    if (isBusy) this.pressed = buttons.find((button) => button === document.activeElement) || this.pressed;
    for (const button of buttons) button.disabled = isBusy;
    if (isBusy) return;
    if (document.activeElement === document.body) this.pressed?.focus();
    this.pressed = null;
  }

  /** Show a plan under way, finished or failed; null shows none. */
  showPlan(info) {
    const target = $('reindex-planned');
    if (!info) target.replaceChildren();
    else if (!isOver(info.state)) {
      if (!target.querySelector('progress')) {
        target.replaceChildren(h('p', { text: 'reindex.planning' }),
          h('progress', { labels: { 'aria-label': 'reindex.planning' } }));
      }
    } else if (info.plan) target.replaceChildren(...estimate(info));
    else target.replaceChildren(h('p', { class: 'problem' }, info.reason || t('job.no_reason')));
  }
}
