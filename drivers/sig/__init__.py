"""What several devices of the Bluetooth SIG's services share. Pure, like the device files."""
