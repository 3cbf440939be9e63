// Blocks as pixels, in the theme's colours; a pointer or the arrow keys tell one block's number.
export default function ({ parentElement, data }) {
  const picture = parentElement.querySelector(".picture")
  const canvas = picture.querySelector("canvas")
  const says = picture.querySelector(".says")
  const bar = picture.querySelector(".bar")
  const levels = Uint8Array.from(atob(data.levels), (letter) => letter.charCodeAt(0))
  const { width, height, rows, columns, low, high, log, words, alt } = data

  const draw = () => {
    const ramp = getComputedStyle(picture).getPropertyValue("--st-chart-sequential-colors")
    const stops = (ramp.match(/#[0-9a-f]{6}/gi) ?? ["#f5f0e3", "#4f1313"]).map((colour) =>
      [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16)))
    bar.style.background = `linear-gradient(to right, ${stops.map((s) => `rgb(${s})`).join(", ")})`
    const colours = Array.from({ length: 255 }, (_, level) => {
      const at = (level / 254) * (stops.length - 1)
      const [one, other] = [stops[Math.floor(at)], stops[Math.ceil(at)]]
      return one.map((part, channel) => part + (other[channel] - part) * (at % 1))
    })
    canvas.width = width
    canvas.height = height
    const context = canvas.getContext("2d")
    const image = context.createImageData(width, height)
    levels.forEach((level, place) => {
      if (level) image.data.set([...colours[level - 1], 255], 4 * place)
    })
    context.putImageData(image, 0, 0)
    canvas.dataset.drawn = data.digest
  }

  const span = (block, blocks, size) => {
    const first = Math.floor((block * size) / blocks)
    const last = Math.floor(((block + 1) * size) / blocks) - 1
    return first >= last ? `${first}` : `${first}–${last}`
  }
  const tell = (row, column) => {
    const level = levels[row * width + column]
    const share = (level - 1) / 254
    const value = log ? low * (high / low) ** share : high * share
    const about = level === 0 ? "no finite value" : level === 255 ? `≥ ${words[2].slice(2)}`
      : log && level === 1 ? words[0] : `about ${Number(value.toPrecision(2))} %`
    says.textContent = `rows ${span(row, height, rows)}, columns ${span(column, width, columns)}: ${about}`
  }
  let here = [0, 0]
  const go = (row, column) => {
    here = [Math.min(Math.max(row, 0), height - 1), Math.min(Math.max(column, 0), width - 1)]
    tell(...here)
  }
  canvas.onpointermove = (event) => {
    const box = canvas.getBoundingClientRect()
    go(Math.floor(((event.clientY - box.top) / box.height) * height),
      Math.floor(((event.clientX - box.left) / box.width) * width))
  }
  canvas.onpointerleave = () => { says.textContent = data.hint }
  canvas.onkeydown = (event) => {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }
    const move = moves[event.key]
    if (!move) return
    event.preventDefault()
    const step = event.shiftKey ? 16 : 1
    go(here[0] + step * move[0], here[1] + step * move[1])
  }
  canvas.setAttribute("aria-label", alt)
  canvas.style.aspectRatio = `${data.aspect}`
  picture.querySelector(".start").textContent = words[0]
  picture.querySelector(".middle").textContent = words[1]
  picture.querySelector(".end").textContent = words[2]
  says.textContent = data.hint
  picture.ontransitionend = draw // the theme's text colour changed, and so did its scale
  draw()
}
