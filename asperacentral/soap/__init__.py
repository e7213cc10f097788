"""The SOAP face: five endpoints, one site, and the notifications sent to observers.

`site.soap_face` is what is served; `notifications.render_notification` writes an event for an observer;
`contract_files` finds the WSDL files. This package alone knows SOAP and spyne; it holds no rules and knows no SQL.
Import the module you need: this file imports nothing, so that finding a WSDL file stays cheap.
"""
