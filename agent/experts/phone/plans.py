"""Which plan solves which task of the phone."""

from collections.abc import Callable

from eyehand.agent.experts.phone import device, people, things
from eyehand.agent.experts.phone.moves import Plan
from eyehand.agent.experts.phone.view import PhoneView

PLANS: dict[str, Callable[[PhoneView], Plan]] = {
    "set-alarm": device.set_alarm,
    "enable-alarm": device.switch_alarm,
    "disable-alarm": device.switch_alarm,
    "delete-alarm": device.delete_alarm,
    "set-timer": device.set_timer,
    "count-alarms": device.count_alarms,
    "flight-mode": device.switch_setting,
    "wifi": device.switch_setting,
    "bluetooth": device.switch_setting,
    "dark-theme": device.switch_setting,
    "do-not-disturb": device.switch_setting,
    "brightness": device.brightness,
    "font-size": device.font_size,
    "add-contact": people.add_contact,
    "edit-contact-phone": people.edit_contact_phone,
    "favourite-contact": people.favourite_contact,
    "delete-contact": people.delete_contact,
    "find-phone-number": people.find_phone_number,
    "reply-latest-message": people.send_message,
    "send-message-to": people.send_message,
    "share-phone-number": people.share_phone_number,
    "last-message-of": people.last_message_of,
    "add-note": things.add_note,
    "delete-note": things.delete_note,
    "pin-note": things.pin_note,
    "find-price": things.find_price,
    "add-to-cart": things.add_to_cart,
    "order-product": things.order_product,
    "empty-cart": things.empty_cart,
    "bookmark-article": things.bookmark_article,
    "article-author": things.article_author,
}
"""Task name to its plan."""
