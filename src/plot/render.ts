// Loads ECharts when a chart is first drawn, and turns a chart's options into SVG text. No DOM is needed.
import { EverygradError, OptionError, StateError } from '../errors.js';

/** Options of every chart. */
export interface ChartOptions {
  /** Above the chart, and its name for screen readers. */
  title?: string;
  /** In pixels; 640 where not said. */
  width?: number;
  /** In pixels; 400 where not said. */
  height?: number;
}

/** Okabe and Ito's colours, which people with colour blindness can tell apart ("Color universal design", 2008). */
const colours = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000'];

type Library = Pick<typeof import('echarts/core'), 'init'>;
let library: Promise<Library> | undefined;

async function load(): Promise<Library> {
  const [core, charts, components, renderers] = await Promise.all([
    import('echarts/core'),
    import('echarts/charts'),
    import('echarts/components'),
    import('echarts/renderers'),
  ]);
  const { BarChart, HeatmapChart, LineChart, ScatterChart } = charts;
  const { GridComponent, LegendComponent, MarkLineComponent, TitleComponent, VisualMapComponent } =
    components;
  core.use([BarChart, HeatmapChart, LineChart, ScatterChart, renderers.SVGRenderer]);
  core.use([GridComponent, LegendComponent, MarkLineComponent, TitleComponent, VisualMapComponent]);
  return core;
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

function checkPixels(where: string, name: string, value: number): void {
  if (Number.isInteger(value) && value >= 50 && value <= 10_000) return;
  throw new OptionError({
    where,
    problem: `${name} is ${value}`,
    hint: 'a whole number of pixels from 50 to 10,000',
    values: { [name]: value },
  });
}

/** SVG of a chart; `name` is what it shows, where it has no title. */
export async function render(
  where: string,
  name: string,
  { title, width = 640, height = 400 }: ChartOptions,
  option: object,
): Promise<string> {
  checkPixels(where, 'width', width);
  checkPixels(where, 'height', height);
  library ??= load();
  let init: Library['init'];
  try {
    ({ init } = await library);
  } catch (cause) {
    library = undefined;
    if (cause instanceof EverygradError) throw cause;
    throw new StateError({
      where,
      problem: 'the optional package echarts does not load',
      hint: 'npm install echarts',
      cause,
    });
  }
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({
      ...{ animation: false, color: colours, backgroundColor: '#ffffff' },
      ...(title !== undefined && { title: { text: title, left: 'center', top: 4 } }),
      ...option,
    });
    const svg = chart.renderToSVGString();
    return svg.replace('<svg ', `<svg role="img" aria-label="${escaped(title ?? name)}" `);
  } finally {
    chart.dispose();
  }
}
