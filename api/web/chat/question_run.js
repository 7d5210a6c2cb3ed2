// One question in flight: asks it, or resumes it after a reload, and passes its events to its view.

import { call } from '../shared/api.js';
import { h } from '../shared/dom.js';
import { duration } from '../shared/format.js';
import { t } from '../shared/i18n.js';
import { dependency, isOver, sentence } from '../documents/job.js';
import { follow } from '../shared/sse.js';

const STOP_PATIENCE_MS = 4000;

const STAGES = {
  wait_for_index: 'answer.waiting_index',
  retrieve: 'answer.retrieving',
  generate: 'answer.writing',
  record: 'answer.checking',
};

export class QuestionRun {
  /** `view`: the AnswerView of the question. */
  constructor(view) {
    this.view = view;
    this.control = new AbortController();
    this.id = null;
    this.index = null;
    this.over = false;
  }

  /** Ask; `onGiven(accepted)` is called once the server has accepted it. Resolves at the end. */
  async ask(kb, body, onGiven) {
    this.view.say('answer.starting');
    try {
      const given = await call('POST', `/knowledge-bases/${encodeURIComponent(kb)}/questions`, { body, signal: this.control.signal });
      this.index = body.wait_for_index ? null : given.index;
      onGiven(given);
      if (this.stopping) call('POST', `/questions/${encodeURIComponent(given.id)}/cancel`).catch(() => {});
      await this.follow(given);
    } catch (problem) {
      this.broken(problem);
    }
  }

  /** Follow a question that was asked before: {id, events_url}. */
  async resume(info) {
    this.view.say('answer.queued');
    try {
      await this.follow(info);
    } catch (problem) {
      this.broken(problem);
    }
  }

  async follow({ id, events_url: events }) {
    this.id = id;
    this.view.known(id);
    await follow(events, { signal: this.control.signal, once: true, onEvent: (event) => this.event(event) });
    if (!this.over) this.broken();
  }

  /** Handle one event of the stream; returns true for the last one. */
  event({ event, data }) {
    const { view } = this;
    if (event === 'state') this.over = this.state(data);
    else if (event === 'sources') view.showSources(data.sources || []);
    else if (event === 'delta') {
      if (!this.stopping) view.say('answer.writing');
      view.delta(data.text || '');
    } else if (event === 'reset') view.reset();
    else if (event === 'done') {
      view.done(data, this.index);
      this.over = true;
    } else if (event === 'error') {
      this.failed(data);
      this.over = true;
    }
    return this.over;
  }

  /** Handle a stream without a last event: stopped by the user, refused, or broken off. */
  broken(problem) {
    if (this.over) return;
    this.over = true;
    if (this.control.signal.aborted) this.view.canceled();
    else this.view.failed(problem?.say ? problem.say() : h('span', { text: 'answer.interrupted' }));
  }

  state(job) {
    const { view } = this;
    if (job.state === 'canceled') view.canceled();
    else if (job.state === 'failed') this.failed({ message: sentence(job.reason) });
    else if (this.stopping) view.say('answer.stopping');
    else if (job.stage === 'wait_for_index' && job.pending > 0) {
      const left = () => (job.eta_seconds > 0 ? ` · ${t('job.eta', { time: duration(job.eta_seconds) })}` : '');
      view.say('answer.waiting_documents', { n: job.pending, left });
    } else if (job.state === 'waiting' && job.waiting_for) {
      view.say('job.waiting_for', { what: () => dependency(job.waiting_for) });
    } else if (job.state === 'queued') view.say('answer.queued');
    else view.say(STAGES[job.stage] || 'answer.retrieving');
    return ['canceled', 'failed'].includes(job.state);
  }

  failed({ code, message, detail }) {
    if (code === 'canceled') this.view.canceled();
    else this.view.failed(message || detail ? h('span', {}, message || detail) : h('span', { text: 'answer.interrupted' }));
  }

  /** Request the server to cancel; without a response soon, stop following. Resolves once this has started. */
  async stop(onGivenUp) {
    this.stopping = true;
    this.view.say('answer.stopping');
    setTimeout(() => {
      if (this.over) return;
      this.leave();
      this.over = true;
      this.view.canceled();
      onGivenUp();
    }, STOP_PATIENCE_MS);
    if (this.id) await call('POST', `/questions/${encodeURIComponent(this.id)}/cancel`).catch(() => {});
  }

  /** Stop following; the question itself continues on the server. */
  leave() {
    this.control.abort();
  }
}

/** Show a finished question as stored on the server. */
export function restore(view, info) {
  view.text.silent = true;
  view.known(info.id);
  view.showSources(info.sources || []);
  view.feedback.show(info.feedback);
  if (info.state === 'canceled') view.canceled();
  else if (info.answer === null || info.answer === undefined) {
    view.failed(info.reason ? h('span', {}, sentence(info.reason)) : h('span', { text: 'answer.interrupted' }));
  } else view.done(info);
}

/** Whether a question from the server is still being answered. */
export const isRunning = (info) => !isOver(info.state);
