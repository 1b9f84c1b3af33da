// Draws the plots of a sweep: node plot.mjs FIGURES.jsonl FOLDER
//
// FIGURES.jsonl is what `scripts/bench.sh --sweep --json FIGURES.jsonl` wrote. FOLDER gets latency.svg and throughput.svg.
import * as echarts from 'echarts'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [file, folder] = process.argv.slice(2)
if (!folder) throw new Error('usage: node plot.mjs FIGURES.jsonl FOLDER')
const lines = readFileSync(file, 'utf8').trim().split('\n').map(line => JSON.parse(line))
const machine = lines.find(line => line.kind === 'machine')
const loads = lines.filter(line => line.kind === 'latencyAtLoad')
const channels = lines.filter(line => line.kind === 'throughputOverChannels')
const grouped = number => Math.round(number).toLocaleString('en-US')
const below = `${machine.cores} x ${machine.cpu}, shared with the load generator; V = ${grouped(machine.verifiesPerSecond)}/s, ` +
  `F = ${machine.syncMs.toFixed(2)} ms; commit ${machine.commit}, ${machine.date}`

draw('latency.svg', 'Latency against load', 'every update verified and synced to disk before its acknowledgement; open loop', {
  xAxis: axis('updates a second', { type: 'value' }),
  yAxis: axis('milliseconds', { type: 'log' }),
  series: [['p50', 'p50Ms'], ['p99', 'p99Ms'], ['p99.9', 'p999Ms']].map(([name, field]) => ({
    name, type: 'line', symbolSize: 7, data: loads.map(at => [at.perSecond, at[field]]),
  })),
})
draw('throughput.svg', 'Throughput against channels',
  '16,384 updates under way in all; of those of one channel that wait together, the newest stands for all', {
    xAxis: axis('channels', { type: 'log', logBase: 2, min: 1, axisLabel: { formatter: grouped } }),
    yAxis: axis('updates a second', { type: 'log' }),
    series: [
      { name: 'acknowledged', type: 'line', symbolSize: 7, data: channels.map(at => [at.channels, at.perSecond]) },
      {
        name: 'V: one core verifies', type: 'line', symbol: 'none', itemStyle: { opacity: 0 }, lineStyle: { type: 'dashed' },
        data: channels.map(at => [at.channels, machine.verifiesPerSecond]),
      },
    ],
  })

function axis(name, more) {
  return {
    name, nameLocation: 'middle', nameGap: more.type === 'log' && !more.logBase ? 70 : 34, ...more,
    axisLabel: { formatter: value => value < 1 ? String(value) : grouped(value), ...more.axisLabel },
    minorSplitLine: { show: false },
  }
}

function draw(name, text, subtext, option) {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: 900, height: 520 })
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    color: ['#1f77b4', '#d62728', '#7f7f7f'],
    title: { text, subtext, left: 20, top: 10 },
    legend: { top: 16, right: 30, orient: 'vertical' },
    grid: { left: 100, right: 40, top: 90, bottom: 90 },
    graphic: { type: 'text', left: 20, bottom: 12, style: { text: below, fontSize: 11, fill: '#555' } },
    ...option,
  })
  // The ids that echarts gives count up with every chart of a process: the same figures make the same file.
  writeFileSync(join(folder, name), chart.renderToSVGString() + '\n')
  chart.dispose()
}
