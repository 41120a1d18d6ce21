"""How the report writes numbers: in full where one compares, short where one reads."""


def whole(n: int) -> str:
    """Write 1234567 as 1,234,567."""
    return f"{n:,}"


def short(n: float) -> str:
    """Write 1234567 as 1.23 M; below ten thousand in full."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(n) >= size:
            scaled = n / (1e3 if unit == "k" else size)
            return f"{scaled:.3g} {unit}" if abs(scaled) < 1000 else f"{scaled:,.0f} {unit}"
    return f"{n:,.0f}"


def percent(part: float, of: float) -> str:
    """Write a share; what is not nothing never reads 0 %, and what is not all never 100 %."""
    if not of:
        return "–"
    share = 100 * part / of
    if 0 < share < 0.1:
        return "< 0.1 %"
    if 99.9 < share < 100:
        return "> 99.9 %"
    return f"{share:.0f} %" if share in (0, 100) else f"{share:.1f} %"


def data_size(n: int) -> str:
    """Write a number of bytes with a binary unit."""
    size, units = float(n), ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f"{size:,.0f} {units[0]}" if units[0] == "bytes" or size >= 100 else f"{size:.1f} {units[0]}"


def seconds(s: float) -> str:
    """Write a duration."""
    if s < 90:
        return f"{s:.1f} s"
    minutes = round(s / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def plural(count: int, one: str, more: str) -> str:
    """Choose the words for a number of things."""
    return one if count == 1 else more
