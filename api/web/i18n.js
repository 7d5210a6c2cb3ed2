// Every text of the page, in English and Chinese, and the binding of texts to elements.
//
// An element that shows a text carries its key in `data-i18n` (its content) or `data-i18n-attr`
// ("name=key, name=key"), so that a switch of language only has to walk the document once.
// In a text, {name} is a parameter and {n|page|pages} picks a form by the number n.

export const LANGUAGES = ['en', 'zh'];

const MESSAGES = {
  'app.title': ['Holdfast', 'Holdfast'],
  'app.title_kb': ['{kb} · Holdfast', '{kb} · Holdfast'],
  'app.value': ['{value}', '{value}'],

  'header.skip': ['Skip to content', '跳到正文'],
  'header.home': ['Holdfast, all knowledge bases', 'Holdfast，全部知识库'],
  'header.change_kb': ['Change', '切换'],
  'header.sign_out': ['Sign out', '退出'],
  'header.panels': ['Parts of this page', '页面区域'],

  'sign_in.title': ['Sign in', '登录'],
  'sign_in.lead': ['Holdfast answers questions from your own documents, and shows where each answer stands.',
    'Holdfast 根据您自己的文档回答问题，并注明每个答案的出处。'],
  'sign_in.key': ['API key', 'API 密钥'],
  'sign_in.where_file': ['The key is in this file of the data folder:', '密钥在数据目录的这个文件里：'],
  'sign_in.where_line': ['on the line', '其中一行为'],
  'sign_in.where_up': ['This command shows the folder when it starts:', '启动时，这条命令会显示该目录：'],
  'sign_in.show': ['Show', '显示'],
  'sign_in.hide': ['Hide', '隐藏'],
  'sign_in.keep': ['Keep me signed in on this device', '在此设备上保持登录'],
  'sign_in.submit': ['Sign in', '登录'],
  'sign_in.missing': ['Paste your API key first.', '请先粘贴 API 密钥。'],
  'sign_in.not_a_key': ['An API key has only plain letters, digits and signs. Copy it again.',
    'API 密钥只包含普通字母、数字和符号，请重新复制。'],

  'kb.title': ['Knowledge bases', '知识库'],
  'kb.lead': ['A knowledge base is a set of documents that are searched together.', '知识库是一组一起检索的文档。'],
  'kb.none': ['No knowledge bases yet. Create the first one below, then add documents to it.',
    '还没有知识库。请在下方创建第一个，然后添加文档。'],
  'kb.more': ['Show more', '显示更多'],
  'kb.documents': ['{n} {n|document|documents}', '{n} 个文档'],
  'kb.pending': ['{n} in progress', '{n} 个处理中'],
  'kb.failed': ['{n} failed', '{n} 个失败'],
  'kb.create_title': ['New knowledge base', '新建知识库'],
  'kb.name': ['Name', '名称'],
  'kb.name_rule': ['Lower-case letters, digits and hyphens, up to 63. It cannot be changed later.',
    '小写字母、数字和连字符，最多 63 个字符，之后不能更改。'],
  'kb.name_invalid': ['Use only lower-case letters, digits and hyphens (not first or last), up to 63.',
    '只能使用小写字母、数字和连字符（不能在开头或结尾），最多 63 个字符。'],
  'kb.heading': ['Title (optional)', '标题（可选）'],
  'kb.create': ['Create knowledge base', '创建知识库'],

  'documents.title': ['Documents', '文档'],
  'documents.list': ['Documents of this knowledge base', '此知识库的文档'],
  'documents.drop': ['Drop files here', '把文件拖到这里'],
  'documents.drop_help': ['folders and zip archives too, or choose them from this device', '也可以是文件夹或 zip 压缩包，或从本机选择'],
  'documents.pick': ['Choose files', '选择文件'],
  'documents.pick_folder': ['Choose a folder', '选择文件夹'],
  'documents.only': ['Batch “{name}”: {state}', '批次“{name}”：{state}'],
  'documents.show_all': ['Show all documents', '显示全部文档'],
  'documents.pause': ['Pause', '暂停'],
  'documents.pause_named': ['Pause {name}', '暂停“{name}”'],
  'documents.resume': ['Resume', '继续'],
  'documents.resume_named': ['Resume {name}', '继续处理“{name}”'],
  'documents.cancel': ['Cancel', '取消'],
  'documents.cancel_named': ['Cancel {name}', '取消处理“{name}”'],
  'documents.retry': ['Retry', '重试'],
  'documents.retry_named': ['Retry {name}', '重试“{name}”'],
  'documents.empty': ['No documents yet. Add a file above: you can ask about it as soon as it is ready.',
    '还没有文档。请在上方添加文件，就绪后即可提问。'],
  'documents.more': ['Show more documents', '显示更多文档'],
  'documents.version': ['version {n}', '第 {n} 版'],
  'documents.pages': ['{n} {n|page|pages}', '{n} 页'],
  'documents.chunks': ['{n} {n|passage|passages}', '{n} 个段落'],
  'documents.delete': ['Delete', '删除'],
  'documents.delete_named': ['Delete {name}', '删除“{name}”'],
  'documents.delete_title': ['Delete this document?', '删除此文档？'],
  'documents.delete_text': ['“{name}” and everything indexed from it will be removed. This cannot be undone.',
    '“{name}”及其全部索引内容将被移除，且无法恢复。'],
  'documents.delete_yes': ['Delete', '删除'],
  'documents.delete_no': ['Keep it', '保留'],
  'documents.deleted': ['{name} is deleted.', '“{name}”已删除。'],
  'documents.unchanged': ['Unchanged: this content is already here.', '内容未变：知识库中已有该文件。'],
  'documents.folder_empty': ['Nothing to upload was found in what you dropped.', '拖入的内容中没有可上传的文件。'],

  'upload.queued': ['Waiting to upload', '等待上传'],
  'upload.progress': ['Uploading', '正在上传'],
  'upload.percent': ['{percent} of {size}', '{percent}，共 {size}'],
  'upload.checking': ['Uploaded, being accepted', '已上传，等待接收'],
  'upload.failed': ['Not uploaded', '上传失败'],
  'upload.retry': ['Try again', '重试'],
  'upload.cancel': ['Cancel', '取消'],
  'upload.dismiss': ['Dismiss', '移除'],
  'upload.again_in': ['Trying again in {time}.', '{time}后重试。'],
  'upload.done': ['{name} is received.', '已收到“{name}”。'],

  'batch.list': ['Batches: documents that were added together', '批次：一起添加的文档'],
  'batch.unnamed': ['Batch of {when}', '{when} 的批次'],
  'batch.bar': ['Documents of {name} that are done', '“{name}”的处理进度'],
  'batch.counts': ['Documents by state', '各状态的文档数'],
  'batch.done': ['{done} of {total} done', '已完成 {done}/{total}'],
  'batch.rate': ['{n} a minute', '每分钟 {n} 个'],
  'batch.skipped': ['{n} {n|entry|entries} of the archive left out', '跳过压缩包中的 {n} 个条目'],
  'batch.spoken': ['{state}, {done} of {total} done', '{state}，已完成 {done}/{total}'],
  'batch.at_once': ['At once', '同时处理'],
  'batch.at_once_help': ['How many documents of this batch are under way at once', '此批次同时处理的文档数'],
  'batch.sending': ['Uploading: {percent} of {size}.', '正在上传：{percent}，共 {size}。'],
  'batch.sent': ['{name}: {n} {n|file|files} received.', '“{name}”：已收到 {n} 个文件。'],
  'batch.unchanged': ['{n} unchanged: already here.', '{n} 个文件内容未变，知识库中已有。'],
  'batch.left': ['{n} {n|file was|files were} not uploaded ({name}{n|| …}).', '{n} 个文件未上传（{name}{n|| 等}）。'],
  'batch.pause_named': ['Pause the batch {name}', '暂停批次“{name}”'],
  'batch.resume_named': ['Resume the batch {name}', '继续批次“{name}”'],
  'batch.cancel_named': ['Cancel the batch {name}', '取消批次“{name}”'],
  'batch.retry': ['Retry failed', '重试失败项'],
  'batch.retry_named': ['Retry failed documents of the batch {name}', '重试失败项：批次“{name}”'],
  'batch.show': ['{state} {n}: show these documents of {name}', '{state} {n}：查看“{name}”的这些文档'],
  'batch.again_named': ['Try again to upload the rest of {name}', '重试上传“{name}”的其余文件'],
  'batch.dismiss_named': ['Dismiss the batch {name}', '移除批次“{name}”'],

  'state.queued': ['Queued', '排队中'],
  'state.running': ['Working', '处理中'],
  'state.waiting': ['Waiting', '等待中'],
  'state.paused': ['Paused', '已暂停'],
  'state.ready': ['Ready', '就绪'],
  'state.failed': ['Failed', '失败'],
  'state.canceled': ['Canceled', '已取消'],
  'state.deleting': ['Deleting', '正在删除'],

  'stage.parse': ['Parse', '解析'],
  'stage.chunk': ['Chunk', '分段'],
  'stage.embed': ['Embed', '向量化'],
  'stage.index': ['Index', '索引'],
  'stage.publish': ['Publish', '发布'],

  'job.steps': ['Steps', '步骤'],
  'job.announce': ['{name}: {text}', '{name}：{text}'],
  'job.progress': ['{stage} {done} of {total}', '{stage}：{done}/{total}'],
  'job.eta': ['about {time} left', '约剩 {time}'],
  'job.attempt': ['attempt {n}', '第 {n} 次尝试'],
  'job.next_attempt': ['next attempt at {time}', '下次尝试：{time}'],
  'job.waiting_for': ['Waiting for {what}.', '正在等待{what}。'],
  'job.on_its_own': ['It goes on by itself.', '恢复后会自动继续。'],
  'job.no_reason': ['No reason was given.', '没有给出原因。'],
  'job.reconnecting': ['Connection lost, reconnecting.', '连接中断，正在重连。'],

  'dependency.triton': ['the model server (Triton)', '模型服务（Triton）'],
  'dependency.milvus': ['the vector store (Milvus)', '向量库（Milvus）'],
  'dependency.catalog': ['the catalogue database', '目录数据库'],
  'dependency.temporal': ['the workflow service (Temporal)', '工作流服务（Temporal）'],
  'dependency.blobs': ['the file store', '文件存储'],
  'dependency.worker': ['a worker', '处理进程'],
  'dependency.index': ['documents that are still being indexed', '尚在索引的文档'],

  'ask.title': ['Ask', '提问'],
  'ask.thread': ['Questions and answers', '问题与回答'],
  'ask.clear': ['Start over', '重新开始'],
  'ask.question': ['Your question', '您的问题'],
  'ask.placeholder': ['Ask about your documents', '就您的文档提问'],
  'ask.mode': ['Kind of answer', '回答方式'],
  'ask.mode_auto': ['Automatic', '自动'],
  'ask.mode_auto_help': ['As this knowledge base is set', '按此知识库的设置'],
  'ask.mode_extractive': ['Quotes', '原文摘录'],
  'ask.mode_extractive_help': ['The sentences that answer, word for word', '逐字摘录能回答问题的句子'],
  'ask.mode_generative': ['Written', '生成回答'],
  'ask.mode_generative_help': ['A written answer, held against its sources', '根据来源撰写并核对的回答'],
  'ask.send': ['Ask', '提问'],
  'ask.stop': ['Stop', '停止'],
  'ask.keys': ['Enter sends, Shift + Enter starts a new line.', '按 Enter 发送，Shift + Enter 换行。'],
  'ask.empty_title': ['What would you like to know?', '您想了解什么？'],
  'ask.empty_help': ['Answers come only from the documents of this knowledge base, with the passages they stand on.',
    '回答只来自此知识库的文档，并附上所依据的原文。'],
  'ask.no_documents_title': ['Nothing to ask about yet', '暂时还没有可提问的内容'],
  'ask.no_documents_help': ['Add a document first. Once it is ready, ask about it here.',
    '请先添加文档，就绪后即可在这里提问。'],
  'ask.still_indexing': ['{n} {n|document is|documents are} still being indexed. Answers use the ones that are ready.',
    '还有 {n} 个文档正在索引，回答只使用已就绪的文档。'],

  'answer.you': ['You asked', '您的问题'],
  'answer.label': ['Answer', '回答'],
  'answer.starting': ['Sending the question', '正在发送问题'],
  'answer.queued': ['Waiting for a free place', '正在排队'],
  'answer.waiting_index': ['Waiting for documents to be indexed', '等待文档完成索引'],
  'answer.retrieving': ['Searching the documents', '正在检索文档'],
  'answer.writing': ['Answering', '正在回答'],
  'answer.checking': ['Checking against the sources', '正在核对来源'],
  'answer.canceled': ['Stopped. What was shown until then may be incomplete.', '已停止，以上内容可能不完整。'],
  'answer.stopping': ['Stopping', '正在停止'],
  'answer.failed': ['This question could not be answered', '无法回答此问题'],
  'answer.again': ['Ask again', '重新提问'],
  'answer.interrupted': ['The answer ended without a result.', '回答未能得出结果。'],
  'answer.mode_extractive': ['Quoted from the documents', '摘自文档原文'],
  'answer.mode_generative': ['Written from the sources', '根据来源生成'],
  'answer.not_found': ['Not in the documents', '文档中没有答案'],
  'answer.not_found_help': ['The documents that are ready do not answer this question.', '已就绪的文档没有回答这个问题。'],
  'answer.nearest': ['Nearest passages', '最接近的段落'],
  'answer.sources': ['Sources', '来源'],
  'answer.more_sources': ['{n} more {n|passage was|passages were} read', '另外参考了 {n} 个段落'],
  'answer.source': ['Source {n}: {name}', '来源 {n}：{name}'],
  'answer.page': ['page {n}', '第 {n} 页'],

  'notice.dismiss': ['Dismiss this message', '关闭此消息'],

  'error.offline': ['The server cannot be reached. Check that Holdfast is running and try again.',
    '无法连接服务器。请确认 Holdfast 正在运行，然后重试。'],
  'error.status': ['The server answered with an error (HTTP {status}).', '服务器返回错误（HTTP {status}）。'],
  'error.kb_missing': ['There is no knowledge base “{name}”, or your key may not see it.',
    '知识库“{name}”不存在，或您的密钥无权查看。'],
};

const STORED = 'holdfast.language';
const bound = new WeakMap();
const listeners = new Set();
let current = initial();

function initial() {
  let wanted = null;
  try {
    wanted = localStorage.getItem(STORED);
  } catch {
    // Storage is switched off: the browser's language decides each time.
  }
  if (LANGUAGES.includes(wanted)) return wanted;
  return (navigator.language || 'en').toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

/** The language shown now: 'en' or 'zh'. */
export const language = () => current;

/** What the server is told, so that its sentences come in the same language. */
export const acceptLanguage = () => (current === 'zh' ? 'zh-CN, zh;q=0.9, en;q=0.5' : 'en, zh;q=0.5');

/** The locale for numbers and dates. */
export const locale = () => (current === 'zh' ? 'zh-CN' : 'en');

/** The text of a key. A parameter may be a function, which is called when the text is made. */
export function t(key, params = {}) {
  const pair = MESSAGES[key];
  if (!pair) throw new Error(`no text for ${key}`);
  return pair[LANGUAGES.indexOf(current)].replace(/\{(\w+)(?:\|([^|}]*)\|([^}]*))?\}/g, (_, name, one, many) => {
    const value = typeof params[name] === 'function' ? params[name]() : params[name];
    if (one !== undefined) return value === 1 ? one : many;
    return typeof value === 'number' ? new Intl.NumberFormat(locale()).format(value) : String(value ?? '');
  });
}

/** Show a text in an element, now and after each switch of language. */
export function bind(element, key, params) {
  element.dataset.i18n = key;
  bound.set(element, { ...bound.get(element), text: params });
  element.textContent = t(key, params);
}

/** The same for an attribute. */
export function bindAttr(element, name, key, params) {
  const others = attributes(element).filter(([other]) => other !== name).map((pair) => pair.join('='));
  element.dataset.i18nAttr = [...others, `${name}=${key}`].join(', ');
  bound.set(element, { ...bound.get(element), [`@${name}`]: params });
  element.setAttribute(name, t(key, params));
}

/** Show a text that is not ours (a name, a server's sentence): it stays as it is. */
export function plain(element, text) {
  delete element.dataset.i18n;
  element.textContent = text;
}

const attributes = (element) =>
  (element.dataset.i18nAttr || '').split(',').map((pair) => pair.trim().split('=')).filter((pair) => pair.length === 2);

function translate() {
  document.documentElement.lang = current === 'zh' ? 'zh-CN' : 'en';
  for (const element of document.querySelectorAll('[data-i18n]')) {
    element.textContent = t(element.dataset.i18n, bound.get(element)?.text);
  }
  for (const element of document.querySelectorAll('[data-i18n-attr]')) {
    for (const [name, key] of attributes(element)) {
      element.setAttribute(name, t(key, bound.get(element)?.[`@${name}`]));
    }
  }
}

/** Called after each switch, and once at the start. */
export function onLanguage(listener) {
  listeners.add(listener);
}

export function setLanguage(wanted) {
  current = wanted;
  try {
    localStorage.setItem(STORED, wanted);
  } catch {
    // Not remembered, then.
  }
  startLanguage();
}

export function startLanguage() {
  translate();
  for (const listener of listeners) listener();
}
