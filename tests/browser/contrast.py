"""Which text and which strokes on a page are too faint to see, asked of the page itself.

Not axe-core: it judges text alone, and what a line, a mark or the edge of a button says is lost as easily.
"""

from __future__ import annotations

# Lines that only part one thing from the next: whoever does not see them misses nothing.
HAIRLINES = (
    ".mtls-view",
    ".mtls-header",
    ".mtls-details",
    ".mtls-tree",
    ".mtls-field:not(.mtls-differs)",
    ".mtls-hex",
    ".mtls-scrubber",
    ".mtls-tablist",
    ".mtls-segment",
    ".mtls-working",
    ".mtls-pair-panel",
    ".mtls-chip.mtls-tone-neutral",
    ".mtls-store-row",
    ".mtls-store-details",
    ".mtls-inner-card",
    ".mtls-section",
    ".mtls-body",
    ".mtls-picture",
    ".mtls-json-inner",
    ".mtls-log",
    ".mtls-log li",
    ".mtls-trace > li",
    ".mtls-phases *",
    ".mtls-nested",
    ".mtls-times-median",  # a gap in a bar
    ".mtls-period-today",  # a gap around the mark, which is filled itself
)
# Marks that are a filled shape, not a line.
FILLED = (".mtls-period-past", ".mtls-period-today")

# Colours are painted on a canvas, so that alpha, color-mix and named colours all come out as the browser shows them.
_MEASURE = """
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const paint = layers => {
        canvas.globalCompositeOperation = 'source-over';
        canvas.fillStyle = 'white';
        canvas.fillRect(0, 0, 1, 1);
        for (const colour of layers) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const luminance = rgb => {
        const [r, g, b] = rgb.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const groundsOf = node => {
        const grounds = [];
        for (let up = node; up; up = up.parentElement) grounds.unshift(getComputedStyle(up).backgroundColor);
        return grounds;
    };
    const contrast = (grounds, colour) => {
        const [ground, ink] = [luminance(paint(grounds)), luminance(paint([...grounds, colour]))];
        return (Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05);
    };
    const faint = new Set();
"""

# Returns each visible text whose contrast with the ground under it is below 4.5:1 (WCAG 2.2 §1.4.3).
FAINT = f"""root => {{{_MEASURE}
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {{
        const node = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || !node.checkVisibility()) continue;
        const ratio = contrast(groundsOf(node), getComputedStyle(node).color);
        if (ratio < 4.5) faint.add(`${{ratio.toFixed(2)}} ${{texts.currentNode.data}}`);
    }}
    return [...faint];
}}"""

# Returns what is seen as a line or a shape and stands below 3:1 on the ground around it (WCAG 2.2 §1.4.11): borders
# and outlines of elements and of what CSS draws before and after them, inset lines, icons, filled marks.
FAINT_STROKES = f"""(root, [hairlines, filled]) => {{{_MEASURE}
    const note = (node, what, grounds, colour) => {{
        const ratio = contrast(grounds, colour);
        const name = typeof node.className === 'string' ? node.className : node.className.baseVal;
        if (ratio < 3) faint.add(`${{ratio.toFixed(2)}} ${{what}} of ${{name || node.tagName}}`);
    }};
    const isClear = colour => colour === 'transparent' || /, 0\\)$|\\/ 0\\)$/.test(colour);
    const lines = (node, style, what, grounds) => {{
        for (const side of ['Top', 'Right', 'Bottom', 'Left']) {{
            const [width, kind, colour] = ['Width', 'Style', 'Color'].map(part => style[`border${{side}}${{part}}`]);
            if (parseFloat(width) && kind !== 'none' && !isClear(colour)) note(node, what, grounds, colour);
        }}
    }};
    for (const node of [root, ...root.querySelectorAll('*')]) {{
        if (!node.checkVisibility()) continue;
        const style = getComputedStyle(node);
        const around = groundsOf(node.parentElement);
        if (node instanceof SVGGeometryElement && !node.matches(hairlines)) {{
            const inks = [style.fill, style.stroke].filter(ink => ink !== 'none');
            for (const ink of inks) note(node.closest('svg'), 'shape', around, ink);
        }}
        if (node instanceof SVGElement) continue;
        if (node.matches(filled)) note(node, 'fill', around, style.backgroundColor);
        const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth);
        if (outlined) note(node, 'outline', around, style.outlineColor);
        const inset = /^(rgba?\\([^)]*\\)|color\\([^)]*\\)).*inset/.exec(style.boxShadow);
        if (inset) note(node, 'inset line', groundsOf(node), inset[1]);
        if (!node.matches(hairlines)) lines(node, style, 'border', around);
        for (const drawn of ['::before', '::after']) {{
            const part = getComputedStyle(node, drawn);
            if (part.content !== 'none' && part.content !== 'normal') lines(node, part, drawn, groundsOf(node));
        }}
    }}
    return [...faint];
}}"""
SHAPES = [", ".join(HAIRLINES), ", ".join(FILLED)]  # what FAINT_STROKES wants to know
