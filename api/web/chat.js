// The Ask panel: one question at a time, its answer streamed; the conversation goes on in the page.

import { call } from './api.js';
import { $, h } from './dom.js';
import { bind } from './i18n.js';
import { AnswerView } from './answer.js';
import { dependency, sentence } from './job.js';
import { follow } from './sse.js';

const STOP_PATIENCE_MS = 4000;

const STAGES = {
  wait: 'answer.waiting_index',
  wait_for_index: 'answer.waiting_index',
  retrieve: 'answer.retrieving',
  generate: 'answer.writing',
  record: 'answer.checking',
};

export class Chat {
  constructor() {
    this.kb = null;
    this.running = null;
    this.conversation = null;
    $('ask-form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.submit();
    });
    $('question').addEventListener('keydown', (event) => {
      // Enter that ends an input method's composition (Chinese, Japanese) is not for us.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.submit();
    });
    $('ask-stop').addEventListener('click', () => this.stop());
    $('ask-clear').addEventListener('click', () => {
      this.open(this.kb);
      $('question').focus();
    });
  }

  open(kb) {
    this.running?.control.abort();
    this.kb = kb;
    this.conversation = null;
    $('turns').replaceChildren();
    $('ask-clear').hidden = true;
    this.busy(null);
    this.empty();
  }

  /** What to say while nothing has been asked, by the counts of the knowledge base. */
  counts({ total = 0, pending = 0, ready = 0 } = {}) {
    this.known = { total, pending, ready };
    this.empty();
  }

  empty() {
    const { total = 0, pending = 0 } = this.known || {};
    $('ask-empty').hidden = $('turns').childElementCount > 0;
    bind($('ask-empty-title'), total ? 'ask.empty_title' : 'ask.no_documents_title');
    if (!total) bind($('ask-empty-help'), 'ask.no_documents_help');
    else if (pending) bind($('ask-empty-help'), 'ask.still_indexing', { n: pending });
    else bind($('ask-empty-help'), 'ask.empty_help');
  }

  submit() {
    const question = $('question').value.trim();
    if (!question || this.running) return;
    $('question').value = '';
    this.ask(question, new FormData($('ask-form')).get('mode'));
  }

  async ask(question, mode) {
    const run = { control: new AbortController(), id: null };
    const view = new AnswerView(question, () => !this.running && this.ask(question, mode));
    run.view = view;
    $('turns').append(view.element);
    this.empty();
    this.busy(run);
    view.say('answer.starting');
    $('thread').scrollTop = $('thread').scrollHeight;
    try {
      const given = await call('POST', `/knowledge-bases/${encodeURIComponent(this.kb)}/questions`, {
        body: { question, ...(mode && { mode }), ...(this.conversation && { conversation_id: this.conversation }) },
        signal: run.control.signal,
      });
      run.id = given.id;
      this.conversation = given.conversation_id;
      await follow(given.events_url, {
        signal: run.control.signal,
        once: true,
        onEvent: (event) => this.event(run, event),
      });
      if (!run.over) this.broken(run);
    } catch (problem) {
      this.broken(run, problem);
    }
    if (this.running === run) this.busy(null);
  }

  /** One event of the stream; true when it was the last. */
  event(run, { event, data }) {
    const { view } = run;
    const scroll = scrollAlong();
    if (event === 'state') run.over = this.state(run, data);
    else if (event === 'sources') view.showSources(data.sources || []);
    else if (event === 'delta') {
      view.say('answer.writing');
      view.delta(data.text || '');
    } else if (event === 'reset') view.reset();
    else if (event === 'done') {
      view.done(data);
      run.over = true;
    } else if (event === 'error') {
      this.failed(run, data);
      run.over = true;
    }
    scroll();
    return run.over;
  }

  /** The stream ended without a last event: it was stopped here, refused, or broke off. */
  broken(run, problem) {
    const scroll = scrollAlong();
    if (run.control.signal.aborted) run.view.canceled();
    else run.view.failed(problem?.say ? problem.say() : h('span', { text: 'answer.interrupted' }));
    scroll();
  }

  state(run, job) {
    const { view } = run;
    if (job.state === 'canceled') view.canceled();
    else if (job.state === 'failed') this.failed(run, { message: sentence(job.reason) });
    else if (run.stopping) view.say('answer.stopping');
    else if (job.state === 'waiting' && job.waiting_for) {
      view.say('job.waiting_for', { what: () => dependency(job.waiting_for) });
    } else if (job.state === 'queued') view.say('answer.queued');
    else if (job.state === 'running') view.say(STAGES[job.stage] || 'answer.retrieving');
    return ['canceled', 'failed'].includes(job.state);
  }

  failed(run, { code, message, detail }) {
    if (code === 'canceled') run.view.canceled();
    else run.view.failed(message || detail ? h('span', {}, message || detail) : h('span', { text: 'answer.interrupted' }));
  }

  /** Ask the server to stop; should it not answer soon, stop listening. */
  async stop() {
    const run = this.running;
    if (!run) return;
    run.stopping = true;
    run.view.say('answer.stopping');
    $('ask-stop').disabled = true;
    setTimeout(() => {
      if (run.over) return;
      run.control.abort();
      run.view.canceled();
      if (this.running === run) this.busy(null);
    }, run.id ? STOP_PATIENCE_MS : 0);
    if (run.id) await call('POST', `/questions/${encodeURIComponent(run.id)}/cancel`).catch(() => {});
  }

  busy(run) {
    const hadFocus = [$('ask-stop'), $('ask-send')].includes(document.activeElement);
    this.running = run;
    $('ask-send').hidden = Boolean(run);
    $('ask-stop').hidden = !run;
    $('ask-stop').disabled = false;
    $('ask-clear').hidden = Boolean(run) || !$('turns').childElementCount;
    if (hadFocus) $('question').focus();
  }
}

/** Call before a change, and what it answers after it: a reader who is at the end stays at the end. */
function scrollAlong() {
  const thread = $('thread');
  const atEnd = thread.scrollHeight - thread.scrollTop - thread.clientHeight < 60;
  return () => {
    if (atEnd) thread.scrollTop = thread.scrollHeight;
  };
}
