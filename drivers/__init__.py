"""
Devices and the roads to them.

contract.py     what a device file may export
fields.py       a cursor over a binary frame; a strict reader of JSON payloads
registry.py     finds every device file; no list is edited
devices/        one file per device family, pure: bytes in, samples out
transports/     all input and output, no meaning
virtual/        virtual devices that speak real frames over real transports
"""
