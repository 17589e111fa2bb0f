import { marked, type Token, type Tokens } from 'marked'
import { defineComponent, h, type VNodeChild } from 'vue'

/**
 * Markdown as elements of the page. Nothing in it is ever taken as HTML: what looks like it is shown as the text it is,
 * images are their descriptions, and links lead to the web only.
 */
export default defineComponent({
  props: { text: { type: String, required: true } },
  setup: (props) => () => h('div', { class: 'markdown' }, blocks(marked.lexer(props.text))),
})

const blocks = (tokens: Token[] | undefined): VNodeChild[] => (tokens ?? []).map(element)

/** What a kind of token becomes; other kinds are their text. */
const elements: Record<string, (token: never) => VNodeChild> = {
  space: () => null,
  hr: () => h('hr'),
  br: () => h('br'),
  // The page has its own first headings.
  heading: (token: Tokens.Heading) => h(`h${Math.min(6, token.depth + 2)}`, blocks(token.tokens)),
  paragraph: (token: Tokens.Paragraph) => h('p', blocks(token.tokens)),
  blockquote: (token: Tokens.Blockquote) => h('blockquote', blocks(token.tokens)),
  code: (token: Tokens.Code) => h('pre', { tabindex: 0 }, h('code', token.text)),
  codespan: (token: Tokens.Codespan) => h('code', token.text),
  strong: (token: Tokens.Strong) => h('strong', blocks(token.tokens)),
  em: (token: Tokens.Em) => h('em', blocks(token.tokens)),
  del: (token: Tokens.Del) => h('del', blocks(token.tokens)),
  image: (token: Tokens.Image) => token.text,
  link: (token: Tokens.Link) => link(token),
  list: (token: Tokens.List) =>
    h(
      token.ordered ? 'ol' : 'ul',
      token.ordered && token.start !== 1 ? { start: token.start } : {},
      token.items.map((item) => h('li', [mark(item), ...blocks(item.tokens)])),
    ),
  table: (token: Tokens.Table) => table(token),
}

function element(token: Token): VNodeChild {
  const make = elements[token.type]
  if (make) return make(token as never)
  const { tokens, text, raw } = token as Tokens.Text
  return tokens ? blocks(tokens) : (text ?? raw)
}

function link({ href, tokens }: Tokens.Link): VNodeChild {
  if (!/^(https?|mailto):/i.test(href)) return blocks(tokens)
  return h('a', { href, target: '_blank', rel: 'noopener noreferrer' }, blocks(tokens))
}

const mark = ({ task, checked }: Tokens.ListItem) => (task ? (checked ? '☑ ' : '☐ ') : null)

function table({ header, rows }: Tokens.Table): VNodeChild {
  const row = (name: 'th' | 'td') => (cells: Tokens.TableCell[]) =>
    h(
      'tr',
      cells.map((cell) => h(name, blocks(cell.tokens))),
    )
  return h('table', [h('thead', row('th')(header)), h('tbody', rows.map(row('td')))])
}
