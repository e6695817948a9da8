// Fills in the shaders of gpu/: lines that repeat or are left out, and names that stand for values.
//   //#for r COUNT ... //#end    repeats for r = 0, 1, ...; or for each record r of a list, with {{r.field}}
//   //#if NAME ... //#else ... //#end
//   {{NAME}}, also inside of the other ones: {{SIZE{{s}}}}, //#if SIZE{{s}}; alone in a line: a text that is filled in, too
// Where a value is a number, NAME/4, NAME%4 and NAME>1 are worked out.

export type TemplateValue = string | number | readonly Record<string, string | number>[];
export type Scope = { readonly [name: string]: TemplateValue };

function resolve(expression: string, scope: Scope): TemplateValue {
  if (/^\d+$/.test(expression)) return Number(expression);
  const [, name, operator, operand] = /^([\w.]+)(?:([/%>])(\d+))?$/.exec(expression) ?? [];
  const value = scope[name ?? ''];
  if (value === undefined) throw new Error(`the shader names ${expression}, which is not given`);
  const n = Number(operand);
  if (operator === '/') return Math.floor(Number(value) / n);
  if (operator === '%') return Number(value) % n;
  return operator === '>' ? Number(Number(value) > n) : value;
}

export function fillTemplate(text: string, scope: Scope): string {
  const lines = text.split('\n');
  const out: string[] = [];
  /** Innermost names first. */
  const fill = (line: string, inner: Scope): string => {
    const filled = line.replace(/\{\{([^{}]+)\}\}/g, (_, expression) => String(resolve(expression, inner)));
    return filled === line ? line : fill(filled, inner);
  };

  /** Lines from `start` to the marker that closes the block; returns that marker's line. */
  const emit = (start: number, inner: Scope, on: boolean): number => {
    let i = start;
    for (; i < lines.length; i++) {
      const line = lines[i]!;
      const [, word, ...rest] = /^\s*\/\/#(\w+) ?(\S*) ?(\S*)/.exec(line) ?? [];
      const [name = '', list = ''] = on ? rest.map((text) => fill(text, inner)) : rest;
      if (word === 'end' || word === 'else') return i;
      if (word === 'if') {
        const holds = on && Boolean(resolve(name, inner));
        const middle = emit(i + 1, inner, holds);
        i = lines[middle]!.includes('#else') ? emit(middle + 1, inner, on && !holds) : middle;
      } else if (word === 'for') {
        const items = on ? resolve(list, inner) : 0;
        const scopes = Array.isArray(items)
          ? items.map((item) => fields(name, item))
          : Array.from({ length: Number(items) }, (_, n) => ({ [name]: n }));
        const end = emit(i + 1, inner, false);
        for (const s of scopes) emit(i + 1, { ...inner, ...s }, true);
        i = end;
      } else if (on) {
        const part = /^{{(\w+)}}$/.exec(line)?.[1];
        out.push(part ? fillTemplate(resolve(part, inner) as string, inner) : fill(line, inner));
      }
    }
    return i;
  };
  emit(0, scope, true);
  return out.join('\n');
}

const fields = (name: string, record: Record<string, string | number>): Scope =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [`${name}.${key}`, value]));
